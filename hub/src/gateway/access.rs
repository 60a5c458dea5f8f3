//! Who may use which app and space, and from where.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey, UserId};

use crate::auth::{Identity, ServiceKey, Verifier};
use crate::http::HttpError;

/// The header that carries the service key.
pub const SERVICE_KEY_HEADER: &str = "x-service-key";

/// The user in whose name a service writes. No token can have it: `@` never begins a `sub`.
const SERVICE_USER: &str = "@service";

/// Decides who may do what.
#[derive(Debug)]
pub struct Access {
    /// Verifies tokens.
    pub verifier: Arc<Verifier>,
    /// The servers' key, if one is configured.
    pub service_key: Option<ServiceKey>,
    /// The apps served; empty serves any.
    pub apps: Vec<AppId>,
    /// Origins besides the hub's own that browsers may connect from.
    pub origins: Vec<String>,
}

/// Who makes a request, and in which space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user, or the service.
    pub user: UserId,
    /// The space.
    pub space: SpaceKey,
}

impl Caller {
    /// Whether it is one of the operator's servers.
    pub fn is_service(&self) -> bool {
        self.user.as_str() == SERVICE_USER
    }
}

impl Access {
    /// Verifies a token.
    pub async fn identify(&self, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
        self.verifier.verify(token, now_ms).await
    }

    /// Verifies a token that is shown once.
    pub async fn identify_once(&self, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
        self.verifier.verify_once(token, now_ms).await
    }

    /// The space of an app that a user asks for; none asked is the user's own. For now that is
    /// the only one a user may have.
    pub fn space(
        &self,
        app: &AppId,
        asked: Option<SpaceId>,
        user: &UserId,
    ) -> Result<SpaceKey, Refusal> {
        self.check_app(app)?;
        let own = SpaceId::personal(user);
        match asked {
            Some(space) if space != own => {
                Err(self.refused(Code::Forbidden, "the space is not yours"))
            }
            _ => Ok(SpaceKey {
                app: app.clone(),
                space: own,
            }),
        }
    }

    /// The caller of an HTTP request: a user by token, or a server by the service key, which
    /// must name the space.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        app: &AppId,
        asked: Option<SpaceId>,
        now_ms: u64,
    ) -> Result<Caller, Refusal> {
        if let Some(key) = headers.get(SERVICE_KEY_HEADER) {
            self.check_service_key(key)?;
            self.check_app(app)?;
            let space = asked.ok_or_else(|| {
                Refusal::new(Code::BadMessage, "a service names the space: ?space=")
            })?;
            if space.as_str().starts_with('@') {
                return Err(self.refused(Code::Forbidden, "the space is the hub's own"));
            }
            let space = SpaceKey {
                app: app.clone(),
                space,
            };
            return Ok(Caller {
                user: UserId::trusted(SERVICE_USER),
                space,
            });
        }
        let user = self.bearer(headers, now_ms).await?.user;
        let space = self.space(app, asked, &user)?;
        Ok(Caller { user, space })
    }

    /// Checks that a request of the operator's servers has the service key.
    pub fn service(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match headers.get(SERVICE_KEY_HEADER) {
            Some(key) => self.check_service_key(key),
            None => Err(self.refused(Code::TokenInvalid, "no service key")),
        }
    }

    fn check_service_key(&self, key: &HeaderValue) -> Result<(), Refusal> {
        let key = key.to_str().unwrap_or_default();
        let own = self.service_key.as_ref();
        match own.is_some_and(|own| own.matches(key)) {
            true => Ok(()),
            false => Err(self.refused(Code::TokenInvalid, "the service key is wrong")),
        }
    }

    /// The caller of an HTTP request that only a user makes, in the user's own space.
    pub async fn user(
        &self,
        headers: &HeaderMap,
        app: &AppId,
        now_ms: u64,
    ) -> Result<Caller, Refusal> {
        let user = self.bearer(headers, now_ms).await?.user;
        let space = self.space(app, None, &user)?;
        Ok(Caller { user, space })
    }

    /// Who has the token of an HTTP request that is about no app.
    pub async fn bearer(&self, headers: &HeaderMap, now_ms: u64) -> Result<Identity, Refusal> {
        match bearer(headers) {
            Some(token) => self.identify(token, now_ms).await,
            None => Err(self.refused(Code::TokenInvalid, "no bearer token")),
        }
    }

    /// A refusal for who somebody is, counted.
    fn refused(&self, code: Code, message: impl Into<String>) -> Refusal {
        let refusal = Refusal::new(code, message);
        self.verifier.refused(&refusal);
        refusal
    }

    fn check_app(&self, app: &AppId) -> Result<(), Refusal> {
        if self.apps.is_empty() || self.apps.contains(app) {
            return Ok(());
        }
        Err(self.refused(Code::AppUnknown, format!("app {app} is not served here")))
    }

    /// Whether a browser page may open a socket: from the hub's own origin or a listed one.
    /// Clients that are no browsers send no origin.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default();
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let own = origin
            .split_once("://")
            .is_some_and(|(_, authority)| Some(authority) == host);
        if own || self.origins.iter().any(|allowed| allowed == origin) {
            return Ok(());
        }
        Err(self.refused(
            Code::Forbidden,
            "this origin may not connect; see auth.origins",
        ))
    }
}

/// The app's name in a request's path, as text. Refuses with `bad_message` one that is none.
#[derive(Clone, Debug)]
pub struct AppName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for AppName {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        Ok(AppName(name_in_path(parts, state).await?))
    }
}

/// A user's name in a request's path, as text. Refuses with `bad_message` one that is none.
#[derive(Clone, Debug)]
pub struct UserName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for UserName {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        Ok(UserName(name_in_path(parts, state).await?))
    }
}

/// The only name in a path. One that is no UTF-8 would be refused in axum's own words.
async fn name_in_path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, HttpError> {
    let read = Path::<String>::from_request_parts(parts, state).await;
    let Path(name) =
        read.map_err(|_| HttpError::new(Code::BadMessage, "the path cannot be read"))?;
    Ok(name)
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() {
        // Whichever is taken, somebody in between may have looked at the other.
        return None;
    }
    let token = value.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.filter(|token| !token.is_empty())
}
