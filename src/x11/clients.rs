//! Which processes are connected to a display, as known to the *server* (X-Resource extension 1.2) and not claimed by
//! the clients. Each is the process that connected: it may have ended and left the connection to a child.

use std::collections::BTreeSet;

use nix::unistd::Pid;
use x11rb_protocol::errors::ParseError;
use x11rb_protocol::protocol::res::{self, ClientIdMask, ClientIdSpec, QueryClientIdsRequest, QueryClientsRequest};
use x11rb_protocol::x11_utils::TryParse;

use super::client::{Client, ClientError};

/// The clients of a display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// The clients that are processes of this machine, except this one. Empty if the server cannot tell.
    pub processes: BTreeSet<Pid>,
    /// Whether there are clients other than this process, including ones without a known process. `true` if the server
    /// cannot tell.
    pub has_others: bool,
}

/// Queries the clients.
///
/// # Errors
/// The connection broke.
pub async fn look(client: &mut Client) -> Result<Clients, ClientError> {
    let Some(opcode) = client.extension(res::X11_EXTENSION_NAME).await? else {
        return Ok(Clients { processes: BTreeSet::new(), has_others: true });
    };
    let own = nix::unistd::getpid();
    // Client 0 stands for all of them.
    let (ours, others): (Vec<Pid>, Vec<Pid>) = ask(client, opcode, 0).await?.into_iter().partition(|&pid| pid == own);
    let all = client.request::<ClientCount, _>(QueryClientsRequest.serialize(opcode)).await?;
    // The count includes the server itself.
    let has_others = all.is_none_or(|all| all.0 > ours.len() + 1);
    Ok(Clients { processes: others.into_iter().collect(), has_others })
}

/// The process that created a window; `None` if the server cannot tell.
///
/// # Errors
/// The connection broke.
pub async fn owner(client: &mut Client, window: u32) -> Result<Option<Pid>, ClientError> {
    let Some(opcode) = client.extension(res::X11_EXTENSION_NAME).await? else { return Ok(None) };
    // Any resource of a client identifies it.
    Ok(ask(client, opcode, window).await?.first().copied())
}

async fn ask(client: &mut Client, opcode: u8, whose: u32) -> Result<Vec<Pid>, ClientError> {
    let spec = [ClientIdSpec { client: whose, mask: ClientIdMask::LOCAL_CLIENT_PID }];
    let request = QueryClientIdsRequest { specs: spec.as_slice().into() }.serialize(opcode);
    let reply = client.request::<ClientPids, _>(request).await?;
    let pids = reply.into_iter().flat_map(|reply| reply.0).filter_map(|pid| i32::try_from(pid).ok());
    Ok(pids.filter(|&pid| pid > 1).map(Pid::from_raw).collect())
}

/// The number of clients in a reply to QueryClients.
struct ClientCount(usize);

impl TryParse for ClientCount {
    fn try_parse(reply: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let count =
            reply.get(8..12).and_then(|bytes| bytes.first_chunk().copied()).ok_or(ParseError::InsufficientData)?;
        Ok((Self(usize::try_from(u32::from_ne_bytes(count)).unwrap_or(usize::MAX)), &[]))
    }
}

/// The values in a reply to QueryClientIds, as far as they are present.
///
/// The library's own type allocates room for as many values as an entry announces before checking that they are
/// present.
struct ClientPids(Vec<u32>);

impl TryParse for ClientPids {
    fn try_parse(reply: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let word = |at: usize| reply.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes);
        let (mut at, mut pids) = (32, Vec::new());
        for _ in 0..word(8).unwrap_or(0) {
            // Client, mask, length of the values in bytes.
            let Some(length) = word(at + 8).and_then(|length| usize::try_from(length).ok()) else { break };
            pids.extend(if length >= 4 { word(at + 12) } else { None });
            let Some(next) = length.checked_add(at + 12) else { break };
            at = next;
        }
        Ok((Self(pids), &[]))
    }
}

#[cfg(test)]
mod tests {
    use x11rb_protocol::x11_utils::TryParse;

    use super::ClientPids;

    #[test]
    fn the_pids_are_read_from_where_they_are() {
        let reply = |words: &[u32]| {
            let mut reply = vec![0; 32];
            reply[8..12].copy_from_slice(&words[0].to_ne_bytes());
            reply.extend(words[1..].iter().flat_map(|word| word.to_ne_bytes()));
            ClientPids::try_parse(&reply).unwrap().0.0
        };
        for (words, pids, what) in [
            (&[2, 0x20_0000, 2, 4, 12, 0x40_0000, 2, 4, 34][..], &[12, 34][..], "two"),
            (&[2, 0x20_0000, 2, 0, 0x40_0000, 2, 4, 34], &[34], "one of another machine"),
            (&[1, 0x20_0000, 2, 8, 12, 99], &[12], "two values"),
            (&[0, 1, 2, 4, 12], &[], "none"),
            (&[9, 1, 2, 4, 12], &[12], "entries that are not there"),
            (&[2, 1, 2, u32::MAX, 12], &[12], "a length beyond the end"),
            (&[1, 1, 2], &[], "half an entry"),
            (&[u32::MAX], &[], "nothing"),
        ] {
            assert_eq!(reply(words), pids, "{what}");
        }
    }
}
