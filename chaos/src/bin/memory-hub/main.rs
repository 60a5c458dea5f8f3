//! The hub on a store in memory, so that what it does itself can be measured without a disk.
//!
//! It is started as the hub is (`serve --dev`, `HUB__…`) and says where it listens as the hub
//! does. It keeps nothing.

mod store;

use std::io::Write;
use std::sync::Arc;

use syncline_hub::app::{App, Parts};
use syncline_hub::config::Config;
use syncline_hub::config::source::Sources;
use syncline_hub::memory::{self, Allocator};

use crate::store::MemoryStore;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> anyhow::Result<()> {
    memory::give_back_in_background();
    let config = Config::load(&Sources {
        file: None,
        env: std::env::vars_os().collect(),
        dev: true,
        ..Sources::default()
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let parts = Parts {
            store: Some(Arc::new(MemoryStore::default())),
            ..Parts::default()
        };
        let app = App::start_with(config, parts).await?;
        let (public, admin) = (app.public_addr(), app.admin_addr());
        writeln!(
            std::io::stdout(),
            "runs at http://{public}  (admin: http://{admin})"
        )?;
        tokio::signal::ctrl_c().await?;
        app.shutdown().await;
        anyhow::Ok(())
    })
}
