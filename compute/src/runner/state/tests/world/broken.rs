//! Rules that can be broken on purpose.

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The store lets anybody end a job, whatever lease is shown.
    FinishIgnoresLease,
    /// What a try writes is written whoever has the lease, which ends apart.
    WriteUnfenced,
    /// Jobs of a lane do not wait for others.
    LanesAreIgnored,
    /// Some tries end without a word.
    EndIsNotSaid,
    /// Tries are not counted, so a job that ends its process is begun for ever.
    TriesAreNotCounted,
    /// A lease that was given is given again, with the same number.
    NumberComesAgain,
    /// Leases are not extended, and the runners believe that they are.
    ExtendDoesNothing,
    /// The store gives jobs of spaces that are full.
    FullIsIgnored,
}

impl Broken {
    pub(super) const ALL: [Broken; 8] = [
        Broken::FinishIgnoresLease,
        Broken::WriteUnfenced,
        Broken::LanesAreIgnored,
        Broken::EndIsNotSaid,
        Broken::TriesAreNotCounted,
        Broken::NumberComesAgain,
        Broken::ExtendDoesNothing,
        Broken::FullIsIgnored,
    ];
}
