//! Every answer is counted: by listener, route pattern and status. Paths, tokens and names never become labels.
//!
//! A path that no route knows counts under the pattern `none`.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::app::House;

/// The layer: the house and the listener's name.
pub async fn counted(State((house, listener)): State<(Arc<House>, &'static str)>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    house.metrics.http_request(listener, route.as_ref().map_or("none", MatchedPath::as_str), response.status().as_u16());
    response
}
