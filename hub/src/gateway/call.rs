//! A push without a socket: of an HTTP request, of a job, or of the hub for a user.

use std::borrow::Cow;
use std::time::Duration;

use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientId, ClientKey, SpaceKey, UserId};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::trace::TraceParent;
use syncline_protocol::wire::client::Numbered;
use tokio::sync::oneshot;

use super::Gateway;
use crate::session::actor::{Message, Pushed};
use crate::session::event::{CallReply, JobWrite, NotEnded, Sender};
use crate::session::jobs::JOBS_USER;

/// How long a push may wait for its verdicts. After that it must be repeated; the numbers see
/// to it that it takes effect once.
const PUSH_WITHIN: Duration = Duration::from_secs(30);

/// How often a session that stops at the very moment is looked for again.
const CALL_TRIES: usize = 5;

/// Who pushes, and where.
#[derive(Debug)]
pub(crate) struct Pusher {
    /// The user, or `@service`, or `@jobs`.
    pub(crate) user: UserId,
    /// The space.
    pub(crate) space: SpaceKey,
    /// Bytes of what it pushes, as they came.
    pub(crate) bytes: usize,
    /// The span of its request, if that is traced.
    pub(crate) trace: Option<TraceParent>,
}

impl Pusher {
    /// Whose share of the node's room its pushes take. Of jobs each space has its own, as it would by its
    /// devices.
    fn owner(&self) -> Cow<'_, str> {
        match self.user.as_str() {
            JOBS_USER => format!("{JOBS_USER}/{}", self.space).into(),
            user => user.into(),
        }
    }
}

impl Gateway {
    /// Has the session judge one client's mutations. Errors: `slow`, `unavailable`.
    pub(crate) async fn call(
        &self,
        pusher: &Pusher,
        Numbered {
            client,
            epoch,
            muts,
        }: Numbered,
    ) -> Result<CallReply, Refusal> {
        let user = pusher.user.clone();
        let client = ClientKey { user, client };
        let sender = Sender { client, epoch };
        let trace = self.traces.push_of(pusher.trace);
        let pushed = Pushed::Request {
            sender,
            muts,
            trace,
        };
        self.push(pusher, pushed).await
    }

    /// Has it judge a write under a key, which is a client of its own.
    pub(crate) async fn call_keyed(
        &self,
        pusher: &Pusher,
        (client, mutation): (ClientId, Mutation),
    ) -> Result<CallReply, Refusal> {
        let push = Numbered {
            client,
            epoch: None,
            muts: vec![mutation],
        };
        self.call(pusher, push).await
    }

    /// Has it write what a user asks the hub for: changes of any table, in which what is written twice
    /// is what is written once. Errors: of a push.
    pub(crate) async fn write_own(&self, pusher: &Pusher, changes: &str) -> Result<(), Refusal> {
        let mutation = Mutation::of_changes(changes, &self.data);
        if let Err(refusal) = &mutation.asked {
            return Err(refusal.clone());
        }
        let write = JobWrite {
            epoch: None,
            depth: 0,
            mutation,
            ended: None,
        };
        match self.push(pusher, Pushed::Job(Box::new(write))).await? {
            CallReply::Job(Ok(())) => Ok(()),
            CallReply::Job(Err(NotEnded::Rejected(refusal))) | CallReply::Refused(refusal) => {
                Err(refusal)
            }
            _ => Err(ended()),
        }
    }

    /// Has it take what is pushed. Errors: `slow`, `unavailable`.
    pub(crate) async fn push(&self, pusher: &Pusher, pushed: Pushed) -> Result<CallReply, Refusal> {
        let mut held = Some(pushed);
        for _ in 0..CALL_TRIES {
            let entry = self.sessions.get(&pusher.space);
            let Some(room) = self.sessions.room(&entry) else {
                continue;
            };
            let permit = room.permit(&pusher.owner(), pusher.bytes).await;
            let permit = permit.map_err(|_| Refusal::new(Code::Slow, "the session is loaded"))?;
            let Some(pushed) = held.take() else {
                break;
            };
            if let Pushed::Request {
                trace: Some(trace), ..
            } = &pushed
            {
                trace.admitted();
            }
            let (reply, answer) = oneshot::channel();
            let message = Message::Call {
                call: self.next_call(),
                pushed,
                permit: Some(permit),
                reply,
            };
            match self.sessions.tell(&entry, message) {
                Ok(()) => {
                    let Ok(answer) = tokio::time::timeout(PUSH_WITHIN, answer).await else {
                        break;
                    };
                    // A session that ended has not answered: the client repeats, the marks tell.
                    return answer.map_err(|_| ended());
                }
                // The message comes back whole from a session that had just ended.
                Err(message) => {
                    if let Message::Call { pushed, .. } = *message {
                        held = Some(pushed);
                    }
                }
            }
        }
        let message = "no verdict in time; repeat the push";
        Err(Refusal::new(Code::Unavailable, message))
    }
}

/// What is told who waited for a session that ended.
pub(crate) fn ended() -> Refusal {
    Refusal::new(Code::Unavailable, "the session ended; repeat the push")
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    #[test]
    fn jobs_of_a_space_take_the_room_of_that_space() {
        let owner = |user: &str, space: &str| {
            let space = SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted(space),
            };
            let user = UserId::trusted(user);
            let pusher = Pusher {
                user,
                space,
                bytes: 1,
                trace: None,
            };
            pusher.owner().into_owned()
        };
        assert_eq!(owner("ada", "ada"), "ada");
        assert_eq!(owner("@service", "ada"), "@service");
        assert_ne!(owner("@jobs", "ada"), owner("@jobs", "bob"));
    }
}
