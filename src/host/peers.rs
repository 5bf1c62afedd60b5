//! The clients of the launch socket: a task for each reads it, and all requests go into one queue.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::core::ClientId;
use crate::deadline::OUT_OF_DESCRIPTORS;
use crate::launch::{Connection, Listener, Reply, Request};

/// How many clients are served at a time; startxd itself never has that many.
const MAX_CLIENTS: usize = 32;

/// A client that can be answered.
#[derive(Clone)]
pub struct Peer {
    id: ClientId,
    connection: Arc<Connection>,
}

impl Peer {
    fn new(connection: Connection, number: &mut u64) -> Self {
        *number += 1;
        Self { id: ClientId(*number), connection: Arc::new(connection) }
    }

    /// Its number in the core.
    #[must_use]
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// Sends a reply; a client that has gone is fine.
    ///
    /// Never waits: a client that sends requests without reading would delay the whole session. It is dropped.
    pub fn reply(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        if let Err(error) = self.connection.try_send(&reply.encode(), fds) {
            tracing::debug!("a client of the launch socket did not take its answer: {error}");
            self.connection.close();
        }
    }

    /// Sends a refusal and closes: the client can still read its queued replies, but it loses its place.
    pub fn refuse(&self, reason: String) {
        self.reply(&Reply::Refused(reason), &[]);
        self.connection.close();
    }
}

/// An event of a client.
pub enum PeerEvent {
    /// It has sent a request.
    Request(Peer, Request, Vec<OwnedFd>),
    /// It is gone.
    Gone(Peer),
}

/// All clients.
pub struct Peers {
    queue: mpsc::Receiver<PeerEvent>,
}

impl Peers {
    /// Serves the socket from now on. A client that has sent no request after `patience` loses its place.
    #[must_use]
    pub fn serve(listener: Listener, patience: Duration) -> Self {
        // Bounded: a client that floods us is read only as fast as we act on it.
        let (sender, queue) = mpsc::channel(MAX_CLIENTS);
        tokio::spawn(accept(listener, sender, patience));
        Self { queue }
    }

    /// The next event of a client. May be dropped while it waits.
    pub async fn next(&mut self) -> PeerEvent {
        match self.queue.recv().await {
            Some(event) => event,
            // The accepting task holds a sender for as long as the program runs.
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: Listener, queue: mpsc::Sender<PeerEvent>, patience: Duration) {
    let (mut crowded, mut number) = (false, 0);
    loop {
        match listener.accept().await {
            // Each client's task holds a sender, and this one does.
            Ok(connection) if queue.strong_count() <= MAX_CLIENTS => {
                crowded = false;
                tokio::spawn(read(Peer::new(connection, &mut number), queue.clone(), patience));
            }
            Ok(connection) => {
                let reason = format!("more than {MAX_CLIENTS} clients at a time");
                Peer::new(connection, &mut number).refuse(reason);
                if !std::mem::replace(&mut crowded, true) {
                    tracing::warn!("more than {MAX_CLIENTS} clients on the launch socket; further ones are refused");
                }
            }
            Err(error) => {
                // Out of descriptors, most likely.
                tracing::error!("cannot accept on the launch socket: {error}");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

async fn read(peer: Peer, queue: mpsc::Sender<PeerEvent>, patience: Duration) {
    let mut asked = false;
    loop {
        let received = if asked {
            peer.connection.receive().await
        } else {
            match tokio::time::timeout(patience, peer.connection.receive()).await {
                Ok(received) => received,
                Err(_) => break,
            }
        };
        let refusal = match received {
            Ok(Some((bytes, fds))) => match Request::decode(&bytes) {
                Ok(request) => {
                    asked = true;
                    if queue.send(PeerEvent::Request(peer.clone(), request, fds)).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(malformed) => malformed.to_string(),
            },
            Ok(None) => break,
            // It closed with a reply of ours unread. The kernel reports that once, *before* the data that it sent last
            // (unix_release_sock sets the socket's error): that data may still follow, and then end-of-file.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => continue,
            Err(error) => error.to_string(),
        };
        // A malformed message is refused, and nothing after it is read.
        tracing::warn!("refused a message on the launch socket: {refusal}");
        peer.refuse(refusal);
        break;
    }
    let _ = queue.send(PeerEvent::Gone(peer)).await;
}
