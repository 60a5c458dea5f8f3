//! An import that ends in the middle.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use crate::transfer::{Begun, Counts, Import, ImportError, ImportRun, Part, SpaceImage};
use crate::types::{SpaceView, StoreError};

/// An import that ends after so many calls, as a killed one does: what was done is done.
pub(crate) struct Interrupted<'a> {
    store: &'a dyn Import,
    calls_left: AtomicU64,
}

impl<'a> Interrupted<'a> {
    pub(crate) fn after(store: &'a dyn Import, calls: u64) -> Interrupted<'a> {
        Interrupted {
            store,
            calls_left: calls.into(),
        }
    }

    fn call(&self) -> Result<(), StoreError> {
        let left = self
            .calls_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let killed = |_| StoreError::Unavailable("it was killed".to_owned());
        left.map(drop).map_err(killed)
    }
}

#[async_trait]
impl Import for Interrupted<'_> {
    async fn begin_import(&self, archive: [u8; 32], now_ms: WallMs) -> Result<Begun, ImportError> {
        self.call()?;
        self.store.begin_import(archive, now_ms).await
    }

    async fn begin_space(
        &self,
        run: ImportRun,
        space: &SpaceKey,
    ) -> Result<Option<SpaceView>, ImportError> {
        self.call()?;
        self.store.begin_space(run, space).await
    }

    async fn import_part(&self, run: ImportRun, part: Part) -> Result<(), ImportError> {
        self.call()?;
        self.store.import_part(run, part).await
    }

    async fn end_space(
        &self,
        run: ImportRun,
        space: SpaceImage,
        counted: (Counts, WallMs),
    ) -> Result<SpaceView, ImportError> {
        self.call()?;
        self.store.end_space(run, space, counted).await
    }

    async fn end_import(&self, run: ImportRun, now_ms: WallMs) -> Result<(), ImportError> {
        self.call()?;
        self.store.end_import(run, now_ms).await
    }
}
