//! Where in a query its expressions begin.
//!
//! The parser's tree does not say. It is walked in the order of the text, and this looks for each thing from
//! where the one before was found.

/// The text that is left to look through.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    at: usize,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thing<'a> {
    /// A name of a metric, function or aggregation.
    Name(&'a str),
    /// A selector that has no name before its braces.
    Braces,
    Number,
    Text,
    /// An opening parenthesis.
    Open,
    /// The minus of an opposite.
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Number,
    Text,
    Braces,
    Brackets,
    Sign(u8),
}

/// Words that are followed by names of labels in parentheses.
const LABEL_LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where a thing begins. What cannot be found is said to begin where the search did.
    pub(super) fn find(&mut self, thing: Thing<'_>) -> usize {
        let began = self.at;
        while let Some((start, token)) = self.next() {
            let is_it = match (thing, token) {
                (Thing::Name(wanted), Token::Name(name)) => name.eq_ignore_ascii_case(wanted),
                (Thing::Braces, Token::Braces)
                | (Thing::Number, Token::Number)
                | (Thing::Text, Token::Text)
                | (Thing::Open, Token::Sign(b'('))
                | (Thing::Minus, Token::Sign(b'-')) => true,
                (Thing::Number, Token::Name(name)) => {
                    name.eq_ignore_ascii_case("nan") || name.eq_ignore_ascii_case("inf")
                }
                _ => false,
            };
            if is_it {
                if let Thing::Name(_) = thing {
                    self.pass(Token::Braces);
                }
                return start;
            }
        }
        self.at = began;
        began
    }

    /// The literal, quotes and escapes and all, that ended where the search is now.
    pub(super) fn literal_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes past a token if it is the next one.
    fn pass(&mut self, wanted: Token<'_>) {
        let before = self.at;
        if self.next().is_none_or(|(_, token)| token != wanted) {
            self.at = before;
        }
    }

    /// The next token that can begin an expression, or ends one.
    fn next(&mut self) -> Option<(usize, Token<'a>)> {
        loop {
            let (start, token) = self.token()?;
            match token {
                Token::Name(word)
                    if LABEL_LISTS.iter().any(|list| word.eq_ignore_ascii_case(list)) =>
                {
                    let before = self.at;
                    if !self.skip_parentheses() {
                        self.at = before;
                        return Some((start, token));
                    }
                }
                Token::Name(word) if word.eq_ignore_ascii_case("offset") => self.skip_time(),
                Token::Sign(b'@') => self.skip_time(),
                Token::Brackets => {}
                _ => return Some((start, token)),
            }
        }
    }

    /// Skips what follows `offset` or `@`: a sign, and a duration, a number, `start()` or `end()`.
    fn skip_time(&mut self) {
        let mut before = self.at;
        while let Some((_, Token::Sign(b'-' | b'+'))) = self.token() {
            before = self.at;
        }
        self.at = before;
        if let Some((_, Token::Name(_))) = self.token() {
            self.skip_parentheses();
        }
    }

    fn skip_parentheses(&mut self) -> bool {
        let before = self.at;
        if !matches!(self.token(), Some((_, Token::Sign(b'(')))) {
            self.at = before;
            return false;
        }
        let mut depth = 1;
        while depth > 0 {
            match self.token() {
                Some((_, Token::Sign(b'('))) => depth += 1,
                Some((_, Token::Sign(b')'))) => depth -= 1,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    fn token(&mut self) -> Option<(usize, Token<'a>)> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                byte if byte.is_ascii_whitespace() => self.at += 1,
                b'#' => self.at += self.length_while(|byte| byte != b'\n'),
                _ => break,
            }
        }
        let start = self.at;
        let first = *bytes.get(start)?;
        let (length, token) = match first {
            b'"' | b'\'' | b'`' => (self.quoted_length(first), Token::Text),
            b'{' => (self.enclosed_length(b'}'), Token::Braces),
            b'[' => (self.enclosed_length(b']'), Token::Brackets),
            b'0'..=b'9' | b'.' => (self.number_length(), Token::Number),
            b'_' | b':' | b'a'..=b'z' | b'A'..=b'Z' => {
                let length = self.length_while(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b));
                (length, Token::Name(self.text.get(start..start + length)?))
            }
            _ => (1, Token::Sign(first)),
        };
        self.at = (start + length).min(bytes.len());
        Some((start, token))
    }

    fn length_while(&self, mut goes_on: impl FnMut(u8) -> bool) -> usize {
        self.text.as_bytes()[self.at..].iter().take_while(|byte| goes_on(**byte)).count()
    }

    fn number_length(&self) -> usize {
        let mut before = 0;
        let mut is_hex = false;
        self.length_while(|byte| {
            is_hex |= matches!(byte, b'x' | b'X');
            let is_exponent =
                !is_hex && matches!(before, b'e' | b'E') && matches!(byte, b'+' | b'-');
            before = byte;
            is_exponent || byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_'
        })
    }

    fn quoted_length(&self, quote: u8) -> usize {
        let mut escaped = false;
        let rest = self.text.as_bytes()[self.at + 1..].iter();
        let inner = rest.take_while(|byte| {
            let ends = **byte == quote && !escaped;
            escaped = **byte == b'\\' && !escaped && quote != b'`';
            !ends
        });
        inner.count() + 2
    }

    /// From an opening sign to the closing one, quotes in between passed over.
    fn enclosed_length(&self, close: u8) -> usize {
        let mut inside = Self { text: self.text, at: self.at + 1 };
        while let Some(&byte) = self.text.as_bytes().get(inside.at) {
            match byte {
                b'"' | b'\'' | b'`' => inside.at += inside.quoted_length(byte),
                _ if byte == close => return inside.at + 1 - self.at,
                _ => inside.at += 1,
            }
        }
        self.text.len() - self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_in_the_order_of_the_text() {
        let text = r#"sum by (rate) (rate(a{b="c) 5"}[5m] offset -1m)) / on(x) {z="(2"} @ 17 * 2"#;
        let mut places = Places::new(text);
        for (thing, wanted) in [
            (Thing::Name("sum"), "sum"),
            (Thing::Name("rate"), "rate(a"),
            (Thing::Name("a"), "a{b"),
            (Thing::Braces, "{z="),
            (Thing::Number, "2"),
        ] {
            let at = places.find(thing);
            assert!(text[at..].starts_with(wanted), "{wanted}: {}", &text[at..]);
        }
    }

    #[test]
    fn a_text_that_ends_early_is_survived() {
        for text in ["", "\"", "{", "a{b=\"", "sum by (", "offset", "@", "1e", "#"] {
            let mut places = Places::new(text);
            places.find(Thing::Number);
            places.find(Thing::Name("x"));
        }
    }
}
