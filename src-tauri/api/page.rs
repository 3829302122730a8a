//! The page, which is part of the program, with the headers that keep it to itself.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use super::Refused;

#[derive(RustEmbed)]
#[folder = "ui/dist"]
struct Page;

const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Files of the page, and its frame for every path that is none.
pub async fn serve(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || !matches!(method, Method::GET | Method::HEAD) {
        return Refused::not_found(
            "there is nothing at this path; /api/v1 lists what there is in docs/openapi.json",
        )
        .into_response();
    }
    let (name, file) = match Page::get(path) {
        Some(file) => (path, file),
        None if path.contains('.') => return StatusCode::NOT_FOUND.into_response(),
        None => match Page::get("index.html") {
            Some(file) => ("index.html", file),
            None => {
                return (StatusCode::NOT_FOUND, "The page was not built; run `npm run ui:build`.")
                    .into_response();
            }
        },
    };
    // Names below assets/ carry a digest of what is in them.
    let keep = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CACHE_CONTROL, keep.to_owned()),
    ];
    (headers, Body::from(file.data.into_owned())).into_response()
}

/// Adds what every answer carries: no frames, no sniffing, no referrer, nothing from elsewhere.
pub async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
