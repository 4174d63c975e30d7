//! samod 0.16: a dialer connects again by itself.
#[path = "../peer.rs"]
mod peer;

use samod::{storage::TokioFilesystemStorage, BackoffConfig, DialerHandle, Repo, ShareConfig, Url};
use std::{convert::Infallible, time::Duration};

pub struct Link(DialerHandle<Infallible>);

impl Link {
    pub async fn open(repo: &Repo, url: &str) -> Result<Link, String> {
        let backoff = BackoffConfig { initial_delay: Duration::from_millis(100), max_delay: Duration::from_secs(1), max_retries: None };
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let dialer = repo.dial_websocket(url, backoff).map_err(|error| format!("{error:?}"))?;
        dialer.established().await.map_err(|error| error.to_string())?;
        Ok(Link(dialer))
    }

    pub fn close(self) {
        self.0.close()
    }
}

/// A peer that offers its documents to who is there, as one does that edits.
pub async fn repo(storage: Option<String>) -> Repo {
    let builder = Repo::build_tokio().with_share_policy(ShareConfig::read_write().with_announce(true));
    match storage {
        Some(folder) => builder.with_storage(TokioFilesystemStorage::new(folder)).load().await,
        None => builder.load().await,
    }
}

#[tokio::main]
async fn main() {
    peer::run().await
}
