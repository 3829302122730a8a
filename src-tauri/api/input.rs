//! Extractors that refuse in the API's own shape.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query},
};

use super::Refused;

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Refused))]
pub struct Body<T>(pub T);

/// A piece of the path.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Refused))]
pub struct Id<T>(pub T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refused))]
pub struct Filter<T>(pub T);
