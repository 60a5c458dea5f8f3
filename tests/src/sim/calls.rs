//! HTTP pushes: requests and replies that may be lost, repeated and overtaken.

use std::collections::BTreeMap;

use syncline_hub::session::event::{CallId, CallReply};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientKey, Epoch};
use syncline_protocol::wire::hub;

/// Requests and replies under way.
#[derive(Debug, Default)]
pub struct Calls {
    /// On their way to a node.
    pub requests: Vec<Request>,
    /// Taken by a session.
    taken: BTreeMap<CallId, Caller>,
    /// On their way back.
    pub replies: Vec<(Caller, String)>,
    numbered: u64,
}

/// A push on its way.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who makes it.
    pub caller: Caller,
    /// To which node.
    pub node: usize,
    /// The first epoch its client knew.
    pub epoch: Option<Epoch>,
    /// The text of `muts`.
    pub muts: String,
}

/// Who waits for a reply.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The device.
    pub device: usize,
    /// Who it was then.
    pub client: ClientKey,
}

impl Calls {
    /// A session takes a request.
    pub fn take(&mut self, caller: Caller) -> CallId {
        let call = self.number();
        self.taken.insert(call, caller);
        call
    }

    /// A fresh number.
    pub fn number(&mut self) -> CallId {
        self.numbered += 1;
        CallId(self.numbered)
    }

    /// A session replies.
    pub fn reply(&mut self, call: CallId, reply: CallReply) -> Option<&str> {
        let caller = self.taken.remove(&call)?;
        self.replies.push((caller, text(reply)));
        self.replies.last().map(|(_, text)| text.as_str())
    }

    /// Nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.requests.is_empty() && self.replies.is_empty()
    }
}

/// As the gateway makes it of a reply.
fn text(reply: CallReply) -> String {
    match reply {
        CallReply::Results { results, .. } => {
            let mut text = String::from(r#"{"results":"#);
            hub::write_results(&mut text, &results);
            text.push('}');
            text
        }
        CallReply::Gap(acked) => {
            let refusal = Refusal::new(Code::Gap, "numbers are missing");
            let error = hub::http_error(&refusal);
            let acked = acked.map_or("null".into(), |m| m.to_string());
            format!(r#"{},"acked":{acked}}}"#, &error[..error.len() - 1])
        }
        CallReply::Erased => {
            let error = hub::http_error(&Refusal::new(Code::Reset, "everything was erased"));
            format!(r#"{},"why":"erased"}}"#, &error[..error.len() - 1])
        }
        CallReply::Refused(refusal) => hub::http_error(&refusal),
        CallReply::Synced(_) | CallReply::Job(_) => unreachable!("a push is answered as one"),
    }
}
