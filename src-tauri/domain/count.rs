//! Numbers before nouns: one request, two requests. Knows only nouns whose plural takes an `s`.

/// `1 request`, `2 requests`, `0 requests`.
pub fn counted(count: impl Into<u64>, one: &str) -> String {
    let count = count.into();
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_not_told_as_1_requests() {
        assert_eq!(
            [0u8, 1, 2].map(|count| counted(count, "request")),
            ["0 requests", "1 request", "2 requests"]
        );
    }
}
