//! What a test has a peer do: a line of JSON in, a line of JSON out, in order. `{"error": ...}` when it cannot be done.
//!
//!   {"do": "create", "put": {"key": "text", ...}}     -> {"id", "heads"}
//!   {"do": "find", "id"}                              -> {"found": true, "heads"} or {"found": false}
//!   {"do": "put", "id", "key", "value", "times"?}     -> {"heads"}    one change for each of the times
//!   {"do": "noise", "id", "bytes"}                    -> {"heads"}    one change that cannot be compressed
//!   {"do": "read", "id"}                              -> {"value", "heads"}
//!   {"do": "await", "id", "heads"}                    -> {}           once the document has them
//!   {"do": "listen" | "broadcast", "id", "hex"?}      -> {}           and {"ephemeral": hex} for each that comes
//!   {"do": "connect", "url"}, {"do": "disconnect"}, {"do": "stop"}
use crate::{repo, Link};
use automerge::{transaction::Transactable, AutoSerde, Automerge, AutomergeError, ScalarValue, ROOT};
use futures::StreamExt;
use samod::{DocHandle, DocumentId, Repo};
use serde_json::{json, Value};
use std::{collections::HashMap, env, str::FromStr, time::Duration};
use tokio::{
    io::{stdin, AsyncBufReadExt, BufReader},
    sync::oneshot,
};

const POLL: Duration = Duration::from_millis(5);

struct Peer {
    repo: Repo,
    open: HashMap<String, DocHandle>,
    link: Option<Link>,
}

/// Obeys until the input ends. The only argument is a folder for documents; without it they are in memory.
pub async fn run() {
    let mut peer = Peer { repo: repo(env::args().nth(1)).await, open: HashMap::new(), link: None };
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("a readable input") {
        let order: Value = serde_json::from_str(&line).expect("a line of JSON");
        let answer = peer.obey(&order).await.unwrap_or_else(|error| json!({ "error": error }));
        println!("{answer}");
        if order["do"] == "stop" {
            break;
        }
    }
}

impl Peer {
    async fn obey(&mut self, order: &Value) -> Result<Value, String> {
        match text(order, "do")? {
            "create" => self.create(order).await,
            "find" => self.find(text(order, "id")?).await,
            "put" => self.put(order),
            "noise" => self.noise(order),
            "read" => {
                let document = self.document(order)?;
                let value = document.with_document(|document| serde_json::to_value(AutoSerde::from(&*document)));
                Ok(json!({ "value": value.map_err(|error| error.to_string())?, "heads": heads(document) }))
            }
            "await" => {
                let document = self.document(order)?;
                while json!(heads(document)) != order["heads"] {
                    tokio::time::sleep(POLL).await;
                }
                Ok(json!({}))
            }
            "listen" => {
                let document = self.document(order)?.clone();
                let (listening, is_listening) = oneshot::channel();
                tokio::spawn(async move {
                    let mut messages = Box::pin(document.ephemera());
                    let _ = listening.send(());
                    while let Some(message) = messages.next().await {
                        println!("{}", json!({ "ephemeral": hex(&message) }));
                    }
                });
                is_listening.await.map_err(|error| error.to_string())?;
                Ok(json!({}))
            }
            "broadcast" => {
                self.document(order)?.broadcast(bytes(text(order, "hex")?)?);
                Ok(json!({}))
            }
            "connect" => {
                self.disconnect();
                self.link = Some(Link::open(&self.repo, text(order, "url")?).await?);
                Ok(json!({}))
            }
            "disconnect" => {
                self.disconnect();
                Ok(json!({}))
            }
            "stop" => {
                self.disconnect();
                self.repo.stop().await; // what is not stored yet is
                Ok(json!({}))
            }
            other => Err(format!("cannot {other}")),
        }
    }

    async fn create(&mut self, order: &Value) -> Result<Value, String> {
        let document = self.repo.create(Automerge::new()).await.map_err(|error| format!("{error:?}"))?;
        for (key, value) in order["put"].as_object().ok_or("nothing to put")? {
            change(&document, key, value.to_string().trim_matches('"').into())?;
        }
        let id = document.document_id().to_string();
        let answer = json!({ "id": id, "heads": heads(&document) });
        self.open.insert(id, document);
        Ok(answer)
    }

    async fn find(&mut self, id: &str) -> Result<Value, String> {
        let parsed = DocumentId::from_str(id).map_err(|error| format!("{error:?}"))?;
        let Some(document) = self.repo.find(parsed).await.map_err(|error| format!("{error:?}"))? else {
            return Ok(json!({ "found": false }));
        };
        let answer = json!({ "found": true, "heads": heads(&document) });
        self.open.insert(id.to_string(), document);
        Ok(answer)
    }

    fn put(&self, order: &Value) -> Result<Value, String> {
        let document = self.document(order)?;
        let value = text(order, "value")?;
        match order["times"].as_u64() {
            None => change(document, text(order, "key")?, value.into())?,
            Some(times) => {
                for n in 0..times {
                    change(document, text(order, "key")?, format!("{value} {n}").into())?;
                }
            }
        }
        Ok(json!({ "heads": heads(document) }))
    }

    fn noise(&self, order: &Value) -> Result<Value, String> {
        let document = self.document(order)?;
        let mut state: u64 = 0x2545_f491_4f6c_dd1d;
        let noise = (0..order["bytes"].as_u64().ok_or("how many bytes?")?).map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); // Knuth's MMIX
            (state >> 56) as u8
        });
        change(document, "noise", ScalarValue::Bytes(noise.collect()))?;
        Ok(json!({ "heads": heads(document) }))
    }

    fn document(&self, order: &Value) -> Result<&DocHandle, String> {
        let id = text(order, "id")?;
        self.open.get(id).ok_or_else(|| format!("not open: {id}"))
    }

    fn disconnect(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}

fn change(document: &DocHandle, key: &str, value: ScalarValue) -> Result<(), String> {
    document
        .with_document(|document| document.transact::<_, _, AutomergeError>(|change| change.put(ROOT, key, value)))
        .map(|_| ())
        .map_err(|failure| failure.error.to_string())
}

/// Sorted, as the relay tells them.
fn heads(document: &DocHandle) -> Vec<String> {
    let mut heads: Vec<String> = document.with_document(|document| document.get_heads().iter().map(|head| head.to_string()).collect());
    heads.sort();
    heads
}

fn text<'a>(order: &'a Value, name: &str) -> Result<&'a str, String> {
    order[name].as_str().ok_or_else(|| format!("no {name}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|error| error.to_string())).collect()
}
