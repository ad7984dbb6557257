//! What a scalar's text contains, and so which styles can hold it.

/// Which styles can hold a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Analysis {
    /// It has line breaks, of whatever kind.
    pub(super) multiline: bool,
    /// It can stand without quotes in block context.
    pub(super) plain: bool,
    /// It can stand in single quotes.
    pub(super) single: bool,
    /// It can be a literal block.
    pub(super) literal: bool,
}

/// What was found while walking over the text.
#[derive(Default)]
struct Found {
    indicator: bool,
    line_break: bool,
    special: bool,
    tab: bool,
    space_after_break: bool,
    break_after_space: bool,
}

impl Analysis {
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self { multiline: false, plain: true, single: true, literal: false };
        }
        let found = walk(text);
        let edge = |c: char| c == ' ' || is_break(c);
        let ragged = text.starts_with(edge) || text.ends_with(edge);
        let unquotable = found.break_after_space || found.special;
        let single = !(unquotable || found.space_after_break || found.tab);
        Self {
            multiline: found.line_break,
            plain: single && !ragged && !found.line_break && !found.indicator,
            single,
            literal: !unquotable && !text.ends_with(' '),
        }
    }
}

fn walk(text: &str) -> Found {
    let mut found =
        Found { indicator: text.starts_with("---") || text.starts_with("..."), ..Found::default() };
    let mut previous = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let before_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
        found.indicator |= is_indicator(c, previous, before_blank);
        found.tab |= c == '\t';
        found.special |= c != '\t' && !is_printable(c);
        found.line_break |= is_break(c);
        found.space_after_break |= c == ' ' && previous.is_some_and(is_break);
        found.break_after_space |= is_break(c) && previous == Some(' ');
        previous = Some(c);
    }
    found
}

/// Whether `c` would be taken for syntax in block context, between `previous` and a blank or something else.
fn is_indicator(c: char, previous: Option<char>, before_blank: bool) -> bool {
    match (c, previous) {
        (
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
            None,
        ) => true,
        ('?' | '-', None) | (':', _) => before_blank,
        ('#', Some(previous)) => matches!(previous, ' ' | '\t' | '\0') || is_break(previous),
        _ => false,
    }
}

/// Whether YAML 1.1 breaks lines at `c`.
pub(super) const fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether the library writes `c` as it is. It escapes everything outside the basic multilingual plane.
pub(super) const fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}')
}
