//! A form with a file (`multipart/form-data`, RFC 7578) while it arrives.
//!
//! The one idea: a part is read piece by piece, so that a file of any size needs the memory of a piece; the fields, which a
//! browser sends in the order of the page, are in memory and short.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;

use crate::problem::{Code, Problem};

/// Longest head of a part, and longest field that is no file.
const LONGEST: usize = 8 << 10;

/// A form on its way.
pub(crate) struct Multipart<'a> {
    body: &'a mut Body,
    /// What stands before each part.
    border: Vec<u8>,
    waiting: Vec<u8>,
    within: Duration,
    has_ended: bool,
}

/// A part of the form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The name of the field.
    pub(crate) name: String,
    /// What the file was called, where it is one.
    pub(crate) file: Option<String>,
}

impl<'a> Multipart<'a> {
    /// A form; no piece of it may take longer than this.
    ///
    /// # Errors
    /// [`Problem`] for a body that is not said to be one.
    pub(crate) fn of(headers: &HeaderMap, body: &'a mut Body, within: Duration) -> Result<Multipart<'a>, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut parts = kind.split(';').map(str::trim);
        let is_form = parts.next().is_some_and(|k| k.eq_ignore_ascii_case("multipart/form-data"));
        let named = |p: &str| {
            let (name, value) = p.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
        };
        let border = parts.find_map(named).filter(|b| is_form && (1..=70).contains(&b.len()));
        let border = border.ok_or_else(|| malformed("the body is no form with a file; send it from the page"))?;
        // the first border has no end of a line before it
        let waiting = b"\r\n".to_vec();
        Ok(Multipart { body, border: format!("\r\n--{border}").into_bytes(), waiting, within, has_ended: false })
    }

    /// The next part, after the one before was read to its end; `None` after the last.
    ///
    /// # Errors
    /// [`Problem`] for what is no form, or arrives too slowly.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Part>, Problem> {
        while self.piece().await?.is_some() {}
        if self.has_ended {
            return Ok(None);
        }
        self.waiting.drain(..self.border.len());
        let end = loop {
            if self.waiting.starts_with(b"--") {
                self.has_ended = true;
                return Ok(None);
            }
            if let Some(end) = position(&self.waiting, b"\r\n\r\n") {
                break end;
            }
            if self.waiting.len() > LONGEST || !self.fetch().await? {
                return Err(malformed("a part of the form has no end of its head"));
            }
        };
        let head: Vec<u8> = self.waiting.drain(..end + 4).collect();
        let head = String::from_utf8(head).map_err(|_| malformed("a head in the form is no UTF-8 text"))?;
        let said = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let of = |wanted: &str| said.and_then(|said| parameter(said, wanted));
        let name = of("name").ok_or_else(|| malformed("a part of the form has no name"))?;
        Ok(Some(Part { name, file: of("filename") }))
    }

    /// The next bytes of the part; `None` at its end.
    ///
    /// # Errors
    /// As [`Multipart::next_part`].
    pub(crate) async fn piece(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        while !self.has_ended {
            if let Some(end) = position(&self.waiting, &self.border) {
                let piece: Vec<u8> = self.waiting.drain(..end).collect();
                return Ok(Some(piece).filter(|p| !p.is_empty()));
            }
            // the beginning of a border may be the last that came
            let sure = self.waiting.len().saturating_sub(self.border.len() - 1);
            if sure > 0 {
                return Ok(Some(self.waiting.drain(..sure).collect()));
            }
            if !self.fetch().await? {
                return Err(malformed("the form ended before it was complete; send it again"));
            }
        }
        Ok(None)
    }

    /// The part as a short text.
    ///
    /// # Errors
    /// As [`Multipart::next_part`], and for a long one.
    pub(crate) async fn text(&mut self) -> Result<String, Problem> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
            if all.len() > LONGEST {
                return Err(malformed("a field of the form is too long"));
            }
        }
        String::from_utf8(all).map_err(|_| malformed("a field of the form is no UTF-8 text"))
    }

    /// Waits for more; whether there is any.
    async fn fetch(&mut self) -> Result<bool, Problem> {
        let slow = || {
            let seconds = self.within.as_secs();
            let detail = format!("nothing of the form arrived for {seconds} seconds; send it faster");
            Problem::new(Code::TooSlow, detail)
        };
        let frame = tokio::time::timeout(self.within, self.body.frame()).await.map_err(|_| slow())?;
        let Some(frame) = frame else { return Ok(false) };
        let gone = |_| Problem::new(Code::TooSlow, "the form broke off; send it again");
        let bytes: Bytes = frame.map_err(gone)?.into_data().unwrap_or_default();
        self.waiting.extend_from_slice(&bytes);
        Ok(true)
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Code::MalformedQuery, detail)
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|w| w == wanted)
}

/// `name` of `form-data; name="file"; filename="a\"b.csv"`, as browsers write it.
fn parameter(said: &str, wanted: &str) -> Option<String> {
    let mut rest = said.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => after.split_once(';').map_or((after, ""), |(value, rest)| (value, rest)),
        };
        if name.eq_ignore_ascii_case(wanted) {
            // browsers write quotes and ends of lines as %XX, and nothing else
            return Some(value.trim().replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
        }
        rest = after.trim_start().trim_start_matches(';');
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// All parts of a form that arrives in pieces of this size.
    async fn read(text: &str, size: usize) -> Result<Vec<(String, Option<String>, String)>, Problem> {
        let chunks: Vec<Bytes> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let mut body = Body::new(Chunks(chunks.into_iter().collect()));
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("multipart/form-data; boundary=\"x-y\"");
        headers.insert(header::CONTENT_TYPE, kind);
        let mut form = Multipart::of(&headers, &mut body, Duration::from_secs(5))?;
        let mut parts = Vec::new();
        while let Some(part) = form.next_part().await? {
            parts.push((part.name, part.file, form.text().await?));
        }
        Ok(parts)
    }

    struct Chunks(std::collections::VecDeque<Bytes>);

    impl axum::body::HttpBody for Chunks {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
            std::task::Poll::Ready(self.0.pop_front().map(|b| Ok(hyper::body::Frame::data(b))))
        }
    }

    #[tokio::test]
    async fn a_form_is_the_same_however_it_is_cut() {
        let text = "--x-y\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\nvalue\r\n--x-y\r\ncontent-disposition: \
                    form-data; name=\"table\"; filename=\"../a%22b;c.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n--x\r\n1,2\r\n\
                    --x-y\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--x-y--\r\nafter";
        let expected = [
            ("target".to_owned(), None, "value".to_owned()),
            ("table".to_owned(), Some("../a\"b;c.csv".to_owned()), "a,b\r\n--x\r\n1,2".to_owned()),
            ("empty".to_owned(), None, String::new()),
        ];
        for size in (1..40).chain([text.len()]) {
            assert_eq!(read(text, size).await.expect("read"), expected, "{size}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        let long =
            format!("--x-y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n--x-y--", "v".repeat(9_000));
        for bad in [
            "",
            "a=1&b=2",
            "--x-y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
            "--x-y\r\nA: b\r\n\r\n1\r\n--x-y--",
            &long,
        ] {
            assert!(read(bad, 7).await.is_err(), "{bad}");
        }
        let mut body = Body::empty();
        assert!(Multipart::of(&HeaderMap::new(), &mut body, Duration::from_secs(1)).is_err());
    }
}
