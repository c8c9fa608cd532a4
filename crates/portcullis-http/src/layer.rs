//! A tower layer that authenticates requests.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use portcullis::{Authority, Principal};
use tower_layer::Layer;
use tower_service::Service;

use crate::credentials::presented;
use crate::extract::Anonymous;
use crate::refusal::{Manner, Refusal, Rejection};

/// Authenticates every request: reads `Authorization: Token x` or `Bearer x`, and puts a [`Principal<'static>`](Principal)
/// into the request's extensions. A request without an accepted token goes no further.
///
/// For any tower server: it is generic over the bodies of requests and responses. `B` is the response's, which the compiler
/// infers. Responses to refused requests are empty by default ([`influxdb`](Self::influxdb), [`respond`](Self::respond)).
///
/// A [`Refusal`] that a handler inside returns is answered in the same manner; by the innermost layer, where there are several.
///
/// The header stays in the request, marked sensitive, so that its `Debug` does not show the secret.
///
/// ```
/// use std::sync::Arc;
/// use axum::{Router, routing::get};
/// use portcullis::{Authority, MemoryStore};
/// use portcullis_http::{AuthenticateLayer, Caller};
///
/// async fn hello(caller: Caller) -> String {
///     format!("{caller:?}")
/// }
///
/// let authority = Arc::new(Authority::open(MemoryStore::new()).wait()?);
/// let app: Router = Router::new().route("/hello", get(hello)).layer(AuthenticateLayer::new(authority));
/// # Ok::<(), portcullis::Error>(())
/// ```
#[must_use]
pub struct AuthenticateLayer<B> {
    settings: Arc<Settings<B>>,
}

struct Settings<B> {
    authority: Arc<Authority>,
    optional: bool,
    manner: Manner,
    respond: fn(&Rejection) -> Response<B>,
}

impl<B> Clone for Settings<B> {
    fn clone(&self) -> Self {
        let Self { authority, optional, manner, respond } = self;
        Self { authority: Arc::clone(authority), optional: *optional, manner: manner.clone(), respond: *respond }
    }
}

impl<B> AuthenticateLayer<B> {
    /// Creates a layer that refuses every request without an accepted token.
    pub fn new(authority: Arc<Authority>) -> Self
    where
        B: Default,
    {
        let settings =
            Settings { authority, optional: false, manner: Manner::default(), respond: Rejection::empty::<B> };
        Self { settings: Arc::new(settings) }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings<B>)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// Lets requests without an `Authorization` header through, without a principal: for routes that also serve the
    /// anonymous. A header that is wrong is still refused.
    pub fn optional(self) -> Self {
        self.with(|settings| settings.optional = true)
    }

    /// Tells clients why their token is not accepted: revoked, expired. By default they are told only that it is not
    /// (design rule 2).
    pub fn explain(self) -> Self {
        self.with(|settings| settings.manner.explains = true)
    }

    /// Sets the realm in `WWW-Authenticate` of what this layer answers; `portcullis` by default. An [`ApiError`](crate::ApiError)
    /// names none.
    pub fn realm(self, realm: impl Into<Arc<str>>) -> Self {
        self.with(|settings| settings.manner.realm = Some(realm.into()))
    }

    /// Answers refused requests with InfluxDB's JSON body ([`Rejection::influxdb`]).
    pub fn influxdb(self) -> Self
    where
        B: From<String>,
    {
        self.respond(Rejection::influxdb)
    }

    /// Answers refused requests like this. [`Rejection::response`] sets status and headers.
    pub fn respond(self, respond: fn(&Rejection) -> Response<B>) -> Self {
        self.with(|settings| settings.respond = respond)
    }
}

impl<B> Clone for AuthenticateLayer<B> {
    fn clone(&self) -> Self {
        Self { settings: Arc::clone(&self.settings) }
    }
}

impl<B> fmt::Debug for AuthenticateLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { authority, optional, manner, .. } = &*self.settings;
        f.debug_struct("AuthenticateLayer")
            .field("authority", authority)
            .field("optional", optional)
            .field("manner", manner)
            .finish_non_exhaustive()
    }
}

impl<S, B> Layer<S> for AuthenticateLayer<B> {
    type Service = Authenticate<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticate { inner, settings: Arc::clone(&self.settings) }
    }
}

/// What [`AuthenticateLayer`] makes of a service.
pub struct Authenticate<S, B> {
    inner: S,
    settings: Arc<Settings<B>>,
}

impl<S: Clone, B> Clone for Authenticate<S, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), settings: Arc::clone(&self.settings) }
    }
}

impl<S: fmt::Debug, B> fmt::Debug for Authenticate<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// In a response's extensions: a layer has answered the refusal that is beside it, and a layer around that one leaves it.
#[derive(Clone, Copy)]
struct Answered;

impl<B> Settings<B> {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Principal<'static>>, Refusal> {
        match presented(headers)? {
            Some(secret) => match self.authority.authenticate(secret) {
                Ok(principal) => Ok(Some(principal.into_owned())),
                Err(error) => Err(Refusal::NotAccepted(error.reason())),
            },
            None if self.optional => Ok(None),
            None => Err(Refusal::Anonymous),
        }
    }

    fn reject(&self, refusal: Refusal) -> Response<B> {
        let mut response = (self.respond)(&Rejection { refusal: refusal.clone(), manner: self.manner.clone() });
        // For the host: what it logs, and counts.
        response.extensions_mut().insert(refusal);
        response.extensions_mut().insert(Answered);
        response
    }
}

impl<S, Q, B> Service<Request<Q>> for Authenticate<S, B>
where
    S: Service<Request<Q>, Response = Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Authenticated<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let found = self.settings.authenticate(request.headers());
        if let http::header::Entry::Occupied(mut values) = request.headers_mut().entry(AUTHORIZATION) {
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
        let step = match found {
            Err(refusal) => Step::Refused { response: Some(self.settings.reject(refusal)) },
            Ok(principal) => {
                let extensions = request.extensions_mut();
                if let Some(principal) = principal {
                    extensions.insert(principal);
                } else {
                    // Nor is it anybody whom a layer around this one knows.
                    extensions.remove::<Principal<'static>>();
                    extensions.insert(Anonymous);
                }
                Step::Inside { future: self.inner.call(request), settings: Arc::clone(&self.settings) }
            }
        };
        Authenticated { step }
    }
}

pin_project! {
    /// The response of [`Authenticate`].
    pub struct Authenticated<F, B> {
        #[pin]
        step: Step<F, B>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<F, B> {
        Refused { response: Option<Response<B>> },
        Inside {
            #[pin]
            future: F,
            settings: Arc<Settings<B>>,
        },
    }
}

impl<F, B, E> Future for Authenticated<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().step.project() {
            StepProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it was done, which no executor does.
                None => Poll::Pending,
            },
            StepProjection::Inside { future, settings } => {
                let response = ready!(future.poll(context))?;
                // A handler's own refusal, answered as this host answers.
                Poll::Ready(Ok(match response.extensions().get::<Refusal>() {
                    Some(refusal) if response.extensions().get::<Answered>().is_none() => {
                        settings.reject(refusal.clone())
                    }
                    _ => response,
                }))
            }
        }
    }
}

impl<F, B> fmt::Debug for Authenticated<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticated(..)")
    }
}
