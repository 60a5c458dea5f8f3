//! The hub on a store in memory, so that what it does itself can be measured without a disk.
//!
//! It is started as the hub is (`serve --dev`, `HUB__…`) and says where it listens as the hub
//! does. It keeps nothing.

mod store;

use std::io::Write;
use std::sync::Arc;

use syncline_hub::app::{App, Parts};
use syncline_hub::config::Config;
use syncline_hub::memory::{self, Allocator};

use crate::store::MemoryStore;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> anyhow::Result<()> {
    memory::give_back_in_background();
    let mut config = Config::default();
    let any = "127.0.0.1:0".parse()?;
    (config.listen, config.admin_listen) = (any, any);
    config.auth.dev = true;
    config.data_dir = std::env::current_dir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let parts = Parts {
            store: Some(Arc::new(MemoryStore::default())),
            ..Parts::default()
        };
        let app = App::start_with(config, parts).await?;
        writeln!(std::io::stdout(), "runs at http://{} ", app.public_addr())?;
        tokio::signal::ctrl_c().await?;
        app.shutdown().await;
        anyhow::Ok(())
    })
}
