//! samod 0.5: a connection is a future that its owner drives, and makes anew.
#[path = "../peer.rs"]
mod peer;

use samod::{storage::TokioFilesystemStorage, ConnDirection, DocumentId, PeerId, Repo};
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::connect_async;

pub struct Link(JoinHandle<()>);

impl Link {
    pub async fn open(repo: &Repo, url: &str) -> Result<Link, String> {
        let (repo, url) = (repo.clone(), url.to_string());
        let (connected, mut is_connected) = mpsc::unbounded_channel();
        let driver = tokio::spawn(async move {
            loop {
                if let Ok((socket, _)) = connect_async(&url).await {
                    let _ = connected.send(());
                    repo.connect_tungstenite(socket, ConnDirection::Outgoing).await;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        is_connected.recv().await.ok_or("not connected")?;
        tokio::time::sleep(Duration::from_millis(400)).await; // what it asks for before that, it asks nobody
        Ok(Link(driver))
    }

    pub fn close(self) {
        self.0.abort()
    }
}

/// A peer that offers its documents to who is there, as one does that edits.
pub async fn repo(storage: Option<String>) -> Repo {
    let builder = Repo::build_tokio().with_announce_policy(|_: DocumentId, _: PeerId| true);
    match storage {
        Some(folder) => builder.with_storage(TokioFilesystemStorage::new(folder)).load().await,
        None => builder.load().await,
    }
}

#[tokio::main]
async fn main() {
    peer::run().await
}
