//! Where text goes: it is written, or only counted, so that its bytes are known before it is made.

/// Takes text.
pub trait Out {
    /// Appends a text.
    fn push_str(&mut self, text: &str);

    /// Appends a character.
    fn push(&mut self, character: char);
}

impl Out for String {
    fn push_str(&mut self, text: &str) {
        String::push_str(self, text);
    }

    fn push(&mut self, character: char) {
        String::push(self, character);
    }
}

/// Counts the bytes of what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted(pub usize);

impl Out for Counted {
    fn push_str(&mut self, text: &str) {
        self.0 += text.len();
    }

    fn push(&mut self, character: char) {
        self.0 += character.len_utf8();
    }
}
