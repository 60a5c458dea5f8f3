//! A list that nearly always holds one thing, which then lies inside it and not elsewhere.

/// None, one, or more of something.
#[derive(Debug)]
pub(super) enum Few<T> {
    None,
    One(T),
    /// At least two.
    More(Box<[T]>),
}

impl<T> Few<T> {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Few::None)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Few::None => [].iter(),
            Few::One(one) => std::slice::from_ref(one).iter(),
            Few::More(more) => more.iter(),
        }
    }

    /// Drops all others.
    pub(super) fn retain(&mut self, is_kept: impl FnMut(&T) -> bool) {
        let all = std::mem::replace(self, Few::None);
        *self = all.into_iter().filter(is_kept).collect();
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Few<T> {
        let mut things = things.into_iter();
        let Some(first) = things.next() else {
            return Few::None;
        };
        let Some(second) = things.next() else {
            return Few::One(first);
        };
        Few::More([first, second].into_iter().chain(things).collect())
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, more) = match self {
            Few::None => (None, Vec::new()),
            Few::One(one) => (Some(one), Vec::new()),
            Few::More(more) => (None, more.into_vec()),
        };
        one.into_iter().chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_it_was_given_in_its_order() {
        for count in 0..5 {
            let few: Few<u32> = (0..count).collect();
            let seen: Vec<u32> = few.iter().copied().collect();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            assert_eq!(few.is_empty(), count == 0);
            assert_eq!(few.into_iter().collect::<Vec<_>>(), seen);
        }
    }

    #[test]
    fn what_is_left_of_more_may_be_one_or_none() {
        let mut few: Few<u32> = (0..4).collect();
        few.retain(|number| *number != 2);
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [0, 1, 3]);
        few.retain(|number| *number == 3);
        assert!(matches!(few, Few::One(3)));
        few.retain(|_| false);
        assert!(few.is_empty());
    }
}
