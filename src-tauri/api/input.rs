//! Extractors that refuse in the API's own shape.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
};

use super::Refused;

/// A JSON body: an object, whatever it is read as. A list would be one without any names to serde, and an empty one
/// an order that says nothing.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<(), Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, state)
            .await
            .map_err(|rejection| Refused::from(JsonRejection::from(rejection)))?;
        let is_list = bytes.trim_ascii_start().starts_with(b"[");
        let Json(read) = Json::<T>::from_request(Request::from_parts(parts, bytes.into()), &()).await?;
        if is_list {
            return Err(Refused::bad_input("the body is a list, and what is read here is an object: {…}"));
        }
        Ok(Self(read))
    }
}

/// A piece of the path.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Refused))]
pub struct Id<T>(pub T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refused))]
pub struct Filter<T>(pub T);
