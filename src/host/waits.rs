//! Waiting for what may not be there.

/// What `next` waits for on `source`; never, if there is none. May be dropped while it waits, if `next` may.
pub(super) async fn if_there<S, T>(source: &mut Option<S>, next: impl AsyncFnOnce(&mut S) -> T) -> T {
    match source {
        Some(source) => next(source).await,
        None => std::future::pending().await,
    }
}
