//! The end of a connection: what is queued, the close frame, and time to hear them.

use std::time::Duration;

use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::wire::hub;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Ending, Link};
use crate::gateway::Gateway;
use crate::gateway::frame::Frame;
use crate::gateway::stream::Stream;
use crate::gateway::ws::{push_close, push_text};

/// How long what is queued and the close frame may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long a socket for which there is no room may take to hear that.
const TURN_AWAY_WITHIN: Duration = Duration::from_secs(1);

impl Link {
    /// Says goodbye, as far as the peer listens, and leaves.
    pub(in crate::gateway) async fn finish(mut self, ending: Ending) {
        let Ending::Close(code, reason) = ending else {
            return;
        };
        self.forget_unfinished();
        let last = Frame::encode(|bytes| push_close(bytes, code, reason));
        let sender = std::mem::take(&mut self.sender);
        let written = sender.finish(&self.outbox, last, &mut self.stream);
        // A peer that does not listen any more misses only the goodbye.
        let _ = timeout(CLOSE_WITHIN, written).await;
        let _ = timeout(CLOSE_WITHIN, self.stream.shutdown()).await;
        let _ = timeout(CLOSE_WITHIN, read_to_end(&mut self.stream)).await;
    }
}

/// Closes a socket for which there is no room. Those being closed are bounded as well: one too
/// many is cut off without a word.
pub(in crate::gateway) async fn turn_away(gateway: &Gateway, mut stream: Stream) {
    let Ok(_place) = gateway.sockets.turned_away.try_acquire() else {
        return;
    };
    let mut last = Vec::new();
    let refusal = Refusal::new(
        Code::TooManySockets,
        "this node has no room for more sockets",
    );
    push_text(&mut last, hub::error(&refusal).as_bytes());
    push_close(&mut last, close::LIMITS, "too many sockets");
    let goodbye = async {
        stream.write_all(&last).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream).await;
        Ok::<_, std::io::Error>(())
    };
    // A peer that does not listen misses only the goodbye.
    let _ = timeout(TURN_AWAY_WITHIN, goodbye).await;
}

/// Passes over what comes until the peer closes: bytes that nobody reads would make the kernel
/// drop those that were to be its last.
async fn read_to_end(stream: &mut Stream) {
    let mut passed_over = [0; 1_024];
    while !matches!(stream.read(&mut passed_over).await, Ok(0) | Err(_)) {}
}
