use crate::template::hcl::lexer::TokenKind as K;

use super::scan::{Kind, Token};

/// Returns whether a space separates `this` and `next`, `before` being the token before `this` on its line.
///
/// The first rule that applies decides.
pub(super) fn separates(before: Option<&Token<'_>>, this: &Token<'_>, next: &Token<'_>) -> bool {
    let is_text = |token: &Token<'_>| token.kind == Kind::Text;
    if next.is(K::Newline) || (this.is(K::Ident) && next.is(K::LeftParen)) {
        return false;
    }
    if this.is(K::Ident) && next.is(K::ColonColon) || this.is(K::ColonColon) && next.is(K::Ident) {
        return false;
    }
    if this.is(K::Dot) || next.is(K::Dot) || next.is(K::Comma) || next.is(K::Ellipsis) {
        return false;
    }
    if this.is(K::Comma) {
        return true;
    }
    // What is inside of strings is theirs.
    let opens_text = is_text(this) || this.is(K::Quote) || this.kind == Kind::HeredocOpen;
    if opens_text || is_text(next) || matches!(next.kind, Kind::QuoteClose | Kind::HeredocClose) {
        return false;
    }
    // `for x in [a]`, unlike `in[a]`.
    if this.is(K::Ident) && this.text == "in" && before.is_some_and(|before| before.is(K::Ident)) {
        return true;
    }
    if next.is(K::LeftBracket) && (this.is(K::Ident) || this.is(K::Number) || this.brackets() < 0) {
        return false;
    }
    if this.is(K::Bang) {
        return false;
    }
    if this.is(K::Minus) {
        return before.is_some_and(ends_operand);
    }
    if this.is(K::LeftBrace) || next.is(K::RightBrace) {
        return !(this.is(K::LeftBrace) && next.is(K::RightBrace));
    }
    if this.kind == Kind::SequenceOpen && next.is(K::LeftBrace) {
        return true;
    }
    if this.is(K::RightBrace) && next.kind == Kind::SequenceClose {
        return true;
    }
    if this.kind == Kind::SequenceClose && next.kind == Kind::SequenceOpen {
        return false;
    }
    this.brackets() <= 0 && next.brackets() >= 0
}

/// Returns whether a `-` behind this token subtracts.
fn ends_operand(token: &Token<'_>) -> bool {
    !matches!(
        token.kind,
        Kind::Code(
            K::LeftParen
                | K::LeftBrace
                | K::LeftBracket
                | K::Equal
                | K::Colon
                | K::Comma
                | K::Question
                | K::Plus
                | K::Star
                | K::Slash
                | K::Percent
                | K::Minus
                | K::EqualEqual
                | K::NotEqual
                | K::Greater
                | K::GreaterEqual
                | K::Less
                | K::LessEqual
                | K::AndAnd
                | K::OrOr
                | K::Bang
        )
    )
}
