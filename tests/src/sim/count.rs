//! How often what happened: a fault that never fires proves nothing.

use std::fmt;
use std::ops::AddAssign;

macro_rules! kinds {
    (faults { $($fault:ident = $fault_name:literal,)* } happenings { $($happening:ident = $happening_name:literal,)* }
     excuses { $($excuse:ident = $excuse_name:literal,)* }) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each has its name beside it")]
        pub enum Kind { $($fault,)* $($happening,)* $($excuse,)* }

        impl Kind {
            /// What the simulation does to the system.
            pub const FAULTS: &'static [Kind] = &[$(Kind::$fault,)*];
            /// What the system does about it, and what people do, which need not be often.
            pub const HAPPENINGS: &'static [Kind] = &[$(Kind::$happening,)*];
            /// How records of devices of the compatibility protocol were compared with the
            /// history: first as they are, then by each excuse.
            pub const EXCUSES: &'static [Kind] = &[$(Kind::$excuse,)*];

            /// For people.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$fault => $fault_name,)*
                    $(Kind::$happening => $happening_name,)*
                    $(Kind::$excuse => $excuse_name,)*
                }
            }
        }
    };
}

kinds! {
    faults {
    Cut = "socket cut",
    Left = "socket closed by the device",
    EditOffline = "edit made offline",
    SkewedEdit = "edit by a clock off by more than a minute",
    TiedEdit = "edit with a stamp used before",
    SessionCrash = "session crashed, its store work goes on",
    NodeCrash = "node crashed, its store work is torn off",
    Drain = "session drained",
    Slept = "session fell asleep and woke",
    CommitFails = "commit failed before it took effect",
    CommitAnswerLost = "commit took effect, answer lost",
    ReadFails = "read failed",
    AnswersReordered = "store answers out of order",
    AnswerDropped = "store answer to a session that ended",
    Restored = "restored from a backup, new epoch at once",
    RestoredSilently = "restored from a backup, nobody told",
    Evicted = "cache entry forgotten",
    BusLost = "bus event lost",
    BusTwice = "bus event heard twice",
    BusReordered = "bus event heard out of order",
    Missed = "bus told that events were missed",
    Slow = "push turned away as slow",
    Overflow = "outbox overflowed",
    PresenceMissed = "outbox had no room for a presence",
    TokenEnded = "token of a socket ended",
    TokenRenewed = "fresh token shown on a socket",
    PageInside = "page ended inside a commit",
    CallTwice = "HTTP push made twice",
    CallLost = "HTTP push lost",
    CallReplyLost = "HTTP reply lost",
    TablesGrew = "device wants another table",
    AskLost = "changeset or pull lost",
    AskTwice = "changeset or pull made twice by a proxy",
    AskOutlived = "changeset or pull given up by the device, and carried out",
    ReplyLost = "reply to a changeset or pull lost",
    ReplyLate = "reply came after the device gave up",
    Unread = "changeset answered alone, its reply being too large to read",
    ReplyReadFails = "read for a reply failed",
    MergeCrash = "session ended over a changeset",
    ReplyCrash = "node ended between a changeset's commit and its reply",
    PullHeld = "pull held back",
    TwoTabs = "device with two tabs",
    Hurries = "device whose tabs ask beside what they wait for",
    AskedBeside = "request beside another of its device",
    WrittenLate = "record written by an older reply after a newer one",
    EditMeanwhile = "edit while a reply is awaited",
    Reinserted = "deleted record inserted again",
    Timeless = "edit without a time",
    NearMinute = "device's clock fast by about as much as is believed",
    ClockMoved = "device's clock was set",
    ClockPutRight = "device's clock was fast and was put right",
    PoisonNul = "edit with NUL in a string",
    PoisonStamp = "edit with a time out of range",
    PoisonLarge = "edit too large to store",
    InsertDropped = "insert dropped by the client",
    ForeignCursor = "device came with cursors of another server",
    Collected = "tombstone collected",
    KeyKept = "tombstone collected, its key kept",
    MarkForgotten = "last number of a client collected",
    TooOld = "device reset, since what it missed is collected",
    Erased = "everything erased",
    NewEpoch = "new epoch given by the operator",
    LatestLost = "store lost its latest commits, nobody told",
    OneWay = "bus cut from one node to another",
    BothWays = "bus cut between two nodes",
    PartitionLost = "bus event lost where the bus was cut",
    BusAway = "node cut off from the bus",
    BusBack = "node back on the bus",
    BusSlow = "bus event too many for a node that was behind",
    BusDamaged = "bus event damaged or of a newer hub",
    BusLarge = "bus event too large, its head told alone",
    BusDelayed = "bus event held up",
    Outlasted = "bus cut while the last edits were sent",
    StoreCut = "node cut off from the store",
    StoreAway = "store work of a node cut off from it",
    StoreAnswerCut = "store answer lost as the node was cut off",
    EffectDelayed = "store work held up",
    ReplyDelayed = "store answer held up",
    Paused = "node stood still",
    NodeDown = "node crashed and stayed away",
    NodeDrained = "node drained, its sockets told to move",
    ToldToMove = "device told to come back elsewhere",
    Moved = "device moved to another node",
    Drawer = "device away for long",
    NodeClock = "node's clock was set",
    AuditFails = "look at the store failed",
    SleepRefused = "session told more as it was falling asleep",
    WokenWhileAsleep = "sleeping session told something",
    ClaimFails = "claim of jobs failed",
    ClaimAnswerLost = "claim of jobs took effect, answer lost",
    ExtendFails = "lease not extended, or nobody knows",
    FinishFails = "end of a job failed",
    FinishAnswerLost = "end of a job took effect, answer lost",
    LeaseRanOut = "job leased to another while it was tried",
    LeaseLost = "try of a job whose lease was lost",
    LeaseCrash = "node ended over a job it held",
    JobHeldUp = "try of a job held up",
    JobFails = "try of a job failed",
    JobGivenUp = "job given up",
    JobTurnedAway = "what a job writes turned away for now",
    JobWriteLate = "what a job writes waited for no longer, and carried out",
    JobWriteTorn = "session ended over what a job writes",
    JobTooDeep = "job not made, being too deep",
    JobInParts = "part of a job written, the rest due again",
    }
    happenings {
    JobReplayed = "dead job replayed by people",
    JobSnoozed = "job snoozed by people",
    JobCancelled = "job cancelled by people",
    Step = "steps",
    Commit = "commits",
    MarkOnly = "commits of marks alone",
    Conflict = "conflicts",
    CommittedLater = "commit taken after conflicts",
    Retry = "retries after a wait",
    Applied = "verdicts applied",
    Superseded = "verdicts superseded",
    Rejected = "verdicts rejected",
    Clamp = "clamped mutations",
    Tie = "ties",
    Known = "answers known",
    Repeat = "repeats answered from the mark",
    Gap = "gaps",
    Reset = "resets",
    EpochLost = "epoch changed by a session",
    LossPulled = "epoch changed by a pull",
    CatchUp = "catch-ups",
    BusGap = "gaps in what a node heard",
    Resync = "resyncs of slow sockets",
    Replaced = "sockets replaced",
    Snapshot = "snapshots taken",
    SnapshotResumed = "snapshots resumed",
    Backfill = "tables filled",
    NewClientId = "new client ids after lost marks",
    OfferedBack = "records offered back after a reset",
    Complete = "devices compared with the history",
    SyncDone = "changesets answered",
    PullDone = "pulls answered",
    FromMemory = "pulls answered from memory",
    StaleMemory = "pulls answered by a node behind the store",
    ToldEverything = "replies to a device without data",
    ToldAnew = "replies to a device with data of no known age",
    Elsewhere = "replies of another history, asked again",
    SetAside = "changes set aside",
    LettersLeftOut = "commits that left dead letters out",
    UpdateUnknown = "updates of an unknown record",
    Copied = "tables compared with the history",
    Ordered = "last edits of a device that stand",
    ToldErased = "devices told that everything was erased",
    ErasedLate = "changesets of before an erasure, named and not stored",
    SaidAgain = "rounds of heads said again",
    HeadTold = "heads told after a commit whose answer was lost",
    FoundByHead = "sessions behind a head that was said again",
    FoundLarge = "sessions behind a head told in place of a large event",
    Looked = "looks at the store",
    FoundByLook = "sessions elsewhere than the store, found by a look",
    MovedAhead = "devices ahead of the node they moved to",
    BasesCompared = "records merged onto and compared with the store",
    JobGivenBack = "job given back by a node that is drained",
    JobRefused = "what a job writes refused",
    JobErased = "job erased",
    JobRestored = "store replaced over a job that was tried",
    JobPut = "jobs put",
    JobDone = "jobs done",
    JobWriteLost = "writes of jobs refused, their leases being lost",
    RestCompared = "records compared at rest, of devices of the compatibility protocol",
    RestExcused = "of those, shown otherwise by an excuse",
    }
    excuses {
    ComparedAsIs = "records compared as they are",
    ExcusedUnsent = "records not compared: a change is not answered",
    ExcusedOverwritten = "records not compared: a lost history wrote over them",
    ExcusedOlder = "records with more fields than the space has",
    ExcusedGhost = "records that the space never had",
    ExcusedErased = "records that the space does not have since everything was erased",
    ExcusedDropped = "records whose insert was never sent",
    ExcusedCrossed = "records that an older reply wrote over",
    }
}

const KINDS: usize = Kind::FAULTS.len() + Kind::HAPPENINGS.len() + Kind::EXCUSES.len();

/// Counts by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; KINDS]);

impl Default for Counts {
    fn default() -> Self {
        Counts([0; KINDS])
    }
}

impl Counts {
    /// One more.
    pub fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// More.
    pub fn add_many(&mut self, kind: Kind, more: u64) {
        self.0[kind as usize] += more;
    }

    /// How many.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Kind::FAULTS.iter().chain(Kind::HAPPENINGS);
        for kind in kinds.chain(Kind::EXCUSES) {
            writeln!(f, "{:>12}  {}", self.of(*kind), kind.name())?;
        }
        Ok(())
    }
}
