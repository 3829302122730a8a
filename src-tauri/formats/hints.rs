//! What the bytes of a request say beside what it asks for: that it shows images, that it offers tools, which
//! folder it was asked from. Each is looked for only where somebody's decision hangs on it.

use std::borrow::Cow;

use memchr::memmem;

/// What Claude Code writes before the folder that it runs in, in its system prompt: "Working directory: /work/a",
/// or "Primary working directory: /work/a".
const FOLDER: &[u8] = b"orking directory: ";
/// As much of a system prompt is searched.
const MOST: usize = 256 * 1024;
/// A longer path is no folder's.
const LONGEST: usize = 1024;

/// Whether a list has something in it, as it stands in the bytes.
pub fn is_filled(list: Option<&[u8]>) -> bool {
    let inside = list.and_then(|list| list.strip_prefix(b"["));
    inside.is_some_and(|inside| !inside.trim_ascii_start().starts_with(b"]"))
}

/// Whether something in this body is of the type `image`.
pub fn shows_images(body: &[u8]) -> bool {
    let is_a_type = |at: usize| {
        let before = body[..at].trim_ascii_end().strip_suffix(b":");
        before.is_some_and(|before| before.trim_ascii_end().ends_with(b"\"type\""))
    };
    memmem::find_iter(body, b"\"image\"").any(is_a_type)
}

/// The folder that a system prompt names as the one it was asked from. `system` is the value of that field as it
/// stands in the bytes; what stands in messages can't name one.
pub fn folder_in(system: &[u8]) -> Option<String> {
    let system = &system[..system.len().min(MOST)];
    let rest = &system[memmem::find(system, FOLDER)? + FOLDER.len()..];
    let text = &rest[..end_of_line(rest)?];
    let folder: Cow<'_, str> = if text.contains(&b'\\') {
        let quoted = [b"\"", text, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).ok()?.into()
    } else {
        str::from_utf8(text).ok()?.into()
    };
    let folder = folder.trim();
    (!folder.is_empty()).then(|| folder.to_owned())
}

/// Where a line of a JSON text ends: at a line break that is written with a backslash, or with the text.
fn end_of_line(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len().min(LONGEST) {
        match text[at..] {
            [b'"', ..] | [b'\\', b'n' | b'r', ..] => return Some(at),
            [b'\\', _, ..] => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_rest_of_its_line() {
        for (system, folder) in [
            (r#"[{"type":"text","text":"<env>\nWorking directory: /work/a\nIs a git"}]"#, Some("/work/a")),
            (r#""- Primary working directory: /work/b c""#, Some("/work/b c")),
            (r#""Working directory: C:\\work\\new\nmore""#, Some(r"C:\work\new")),
            (r#""Working directory: /w\u00f6rk\r\n""#, Some("/wörk")),
            (r#""Working directory: \n""#, None),
            (r#""Working directory: /cut"#, None),
            (r#""Additional working directories:\n /x""#, None),
            ("", None),
        ] {
            assert_eq!(folder_in(system.as_bytes()).as_deref(), folder, "{system}");
        }
        let endless = format!("\"Working directory: /{}\"", "a".repeat(LONGEST));
        assert_eq!(folder_in(endless.as_bytes()), None);
    }

    #[test]
    fn an_image_is_a_type_and_not_a_word() {
        assert!(shows_images(br#"{"type":"image","source":{}}"#));
        assert!(shows_images(br#"{"type" : "image"}"#));
        assert!(!shows_images(br#"{"kind":["image"],"image":1,"text":"\"type\":\"image\""}"#));
    }

    #[test]
    fn an_empty_list_offers_nothing() {
        assert!(is_filled(Some(b"[ {} ]")));
        for nothing in [Some(&b"[ ]"[..]), Some(b"null"), None] {
            assert!(!is_filled(nothing));
        }
    }
}
