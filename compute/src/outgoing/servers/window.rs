//! How many jobs may be at a server at once, by how it answers: what TCP makes of a path (RFC 5681).
//!
//! It grows by one for each good answer, at most as fast as it doubles with each round, until it is
//! where it was cut last, and from there by one each round. It grows only while more than half of it is in
//! use, since else nothing shows that the server could do with more.

/// A server's window, in jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// At once, at least one.
    size: usize,
    /// Where it begins to grow slowly.
    threshold: usize,
    /// Good answers since it last grew slowly.
    answered: usize,
    /// It never grows past this.
    most: usize,
}

impl Window {
    /// One that begins so, at most at `most`.
    pub(super) fn of(first: usize, most: usize) -> Window {
        let most = most.max(1);
        Window {
            size: first.clamp(1, most),
            threshold: most,
            answered: 0,
            most,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many of them one space may have: half.
    pub(super) fn per_space(&self) -> usize {
        (self.size / 2).max(1)
    }

    /// Somebody was answered well while `there` were there.
    pub(super) fn grow(&mut self, there: usize) {
        if 2 * there <= self.size || self.size >= self.most {
            return;
        }
        self.answered += 1;
        if self.size < self.threshold || self.answered >= self.size {
            self.size += 1;
            self.answered = 0;
        }
    }

    /// The server has too much to do.
    pub(super) fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
        self.threshold = self.size;
        self.answered = 0;
    }

    /// The server answers nobody.
    pub(super) fn close(&mut self) {
        self.halve();
        self.size = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round: all there may be are answered well.
    fn round(window: &mut Window) -> usize {
        for there in (1..=window.size()).rev() {
            window.grow(there.max(window.size()));
        }
        window.size()
    }

    #[test]
    fn it_doubles_with_each_round_up_to_its_most() {
        let mut window = Window::of(1, 12);
        let sizes: Vec<usize> = (0..5).map(|_| round(&mut window)).collect();
        assert_eq!(sizes, [2, 4, 8, 12, 12]);
    }

    #[test]
    fn once_it_was_cut_it_doubles_up_to_there_and_grows_by_one_from_there() {
        let mut window = Window::of(16, 64);
        window.halve();
        let sizes: Vec<usize> = (0..3).map(|_| round(&mut window)).collect();
        assert_eq!(sizes, [9, 10, 11]);
        window.close();
        let sizes: Vec<usize> = (0..5).map(|_| round(&mut window)).collect();
        assert_eq!(sizes, [2, 4, 5, 6, 7]);
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut window = Window::of(4, 64);
        for _ in 0..100 {
            window.grow(2);
        }
        assert_eq!(window.size(), 4);
        window.grow(3);
        assert_eq!(window.size(), 5);
    }

    #[test]
    fn there_is_always_one() {
        let mut window = Window::of(0, 0);
        assert_eq!(window.size(), 1);
        for _ in 0..3 {
            window.halve();
            window.close();
        }
        assert_eq!((window.size(), window.per_space()), (1, 1));
    }
}
