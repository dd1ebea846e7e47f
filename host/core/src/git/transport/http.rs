//! [`Http`]: a git server of smart HTTP (gitprotocol-http(5)): one request a question, whose answer is read as it comes.

use std::io::{self, Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::Service;
use tempfile::SpooledTempFile;
use ureq::http::{Response, StatusCode, header};
use ureq::{Body, BodyReader, ResponseExt, SendBody};

use super::address::{HttpAddress, Scheme};
use super::advertisement::{self, Unreadable, Wrapping};
use super::credential::{Credential, Verdict};
use super::http_settings::{Follow, HttpSettings};
use super::{Call, TransportError, program};

/// A question up to this size waits in memory, a larger one in a file without a name.
const IN_MEMORY: usize = 1 << 20;
/// As many redirections are followed as git follows.
const REDIRECTIONS: u32 = 20;

/// A server, and who asks it.
pub(super) struct Http {
    agent: ureq::Agent,
    /// Where the repository is; where the first request was led to.
    base: HttpAddress,
    headers: Vec<(String, String)>,
    follow: Follow,
    patience: std::time::Duration,
    folder: std::path::PathBuf,
    credential: Option<Credential>,
    /// Whether the server has taken the credential.
    taken: bool,
}

/// What is asked.
enum Question<'a> {
    /// What there is.
    References,
    /// The rest, with so many bytes.
    Rpc(&'a mut SpooledTempFile, u64),
}

impl Http {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, TransportError> {
        Ok(Self {
            agent: settings.agent(),
            base: settings.address.clone(),
            headers: settings.headers.clone(),
            follow: settings.follow,
            patience: settings.patience,
            folder: settings.folder.clone(),
            credential: None,
            taken: false,
        })
    }

    /// Asks until the server knows who asks; its answer is a good one.
    fn ask(&mut self, program: &str, mut question: Question<'_>) -> Result<Response<Body>, TransportError> {
        loop {
            let response = self.send(program, &mut question)?;
            let bytes = match &question {
                Question::References => {
                    self.follow_to(program, &response)?;
                    0
                }
                Question::Rpc(_, bytes) => *bytes,
            };
            let status = response.status();
            match status {
                StatusCode::OK => {}
                StatusCode::UNAUTHORIZED => {
                    self.prove()?;
                    continue;
                }
                StatusCode::FORBIDDEN => return Err(TransportError::Forbidden),
                StatusCode::NOT_FOUND | StatusCode::GONE => return Err(TransportError::NotFound),
                StatusCode::PAYLOAD_TOO_LARGE => return Err(TransportError::TooLarge { bytes }),
                _ if status.is_redirection() => {
                    let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
                    return Err(self.redirected(to.unwrap_or_default()));
                }
                _ => return Err(TransportError::Status(status.as_u16())),
            }
            if let Some(credential) = self.credential.as_ref().filter(|_| !self.taken) {
                credential.settle(Verdict::Approve, &self.folder);
                self.taken = true;
            }
            let answer = match question {
                Question::References => "advertisement",
                Question::Rpc(..) => "result",
            };
            let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if kind != Some(&format!("application/x-{program}-{answer}")) {
                return Err(TransportError::NotGit);
            }
            return Ok(response);
        }
    }

    /// Sends one request.
    fn send(&self, program: &str, question: &mut Question<'_>) -> Result<Response<Body>, TransportError> {
        let proof = self.credential.as_ref().map(|credential| (header::AUTHORIZATION.as_str(), credential.header()));
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        // What proves who asks takes the place of such a header of the settings.
        let headers = headers
            .filter(|(name, _)| proof.is_none() || !name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
            .chain(proof.clone());
        let answer = match question {
            Question::References => {
                let url = format!("{}{}", self.base.url(), tail(program));
                let request = headers.fold(self.agent.get(url), |request, (name, value)| request.header(name, value));
                let redirections = if self.follow == Follow::None { 0 } else { REDIRECTIONS };
                let request = request.header(header::PRAGMA, "no-cache");
                request.config().max_redirects(redirections).max_redirects_will_error(false).build().call()
            }
            Question::Rpc(body, bytes) => {
                let url = format!("{}/{program}", self.base.url());
                let request = headers.fold(self.agent.post(url), |request, (name, value)| request.header(name, value));
                let request = request
                    .header(header::CONTENT_TYPE, format!("application/x-{program}-request"))
                    .header(header::ACCEPT, format!("application/x-{program}-result"))
                    .header(header::CONTENT_LENGTH, bytes.to_string());
                body.rewind().map_err(TransportError::Unreachable)?;
                let request = request.config().max_redirects(0).max_redirects_will_error(false).build();
                request.send(SendBody::from_reader(*body))
            }
        };
        answer.map_err(|error| self.broke(error))
    }

    /// Later requests go to where the first was led.
    fn follow_to(&mut self, program: &str, response: &Response<Body>) -> Result<(), TransportError> {
        let landed = response.get_uri().to_string();
        if landed == format!("{}{}", self.base.url(), tail(program)) {
            return Ok(());
        }
        let base = landed.strip_suffix(&tail(program)).and_then(|base| base.split_once("://"));
        let scheme = |scheme: &str| if scheme == "https" { Scheme::Https } else { Scheme::Http };
        let base = base.and_then(|(name, rest)| HttpAddress::parse(scheme(name), rest));
        let Some(base) = base.filter(|base| base.scheme == Scheme::Https || self.base.scheme == Scheme::Http) else {
            return Err(self.redirected(&landed));
        };
        // Another host has no right to a password that is written for this one.
        let same = base.host == self.base.host && base.scheme == self.base.scheme;
        let (user, password) = match same {
            true => (self.base.user.take(), self.base.password.take()),
            false => (None, None),
        };
        if !same {
            self.credential = None;
        }
        self.base = HttpAddress { user, password, ..base };
        Ok(())
    }

    fn redirected(&self, to: &str) -> TransportError {
        let (to, _) = to.split_once('?').unwrap_or((to, ""));
        let to = match to.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
            None => to.to_owned(),
        };
        TransportError::Redirected { to: advertisement::visible(to.as_bytes()) }
    }

    /// The server wants to know who asks: what stands in the URL first, then what git knows or the user says.
    fn prove(&mut self) -> Result<(), TransportError> {
        if let Some(credential) = self.credential.take() {
            credential.settle(Verdict::Reject, &self.folder);
            return Err(TransportError::CredentialsRefused { user: Some(credential.user) });
        }
        let found = Credential::of_url(&self.base).or_else(|| Credential::ask(&self.base, &self.folder));
        self.credential = Some(found.ok_or(TransportError::CredentialsWanted)?);
        Ok(())
    }

    /// What went wrong below HTTP.
    fn broke(&self, error: ureq::Error) -> TransportError {
        match error {
            ureq::Error::Timeout(_) => TransportError::Silent(self.patience),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => TransportError::Silent(self.patience),
            // How rustls reports a certificate that is not good.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                TransportError::Encryption(error.to_string())
            }
            ureq::Error::Io(error) => TransportError::Unreachable(error),
            ureq::Error::Rustls(error) => TransportError::Encryption(error.to_string()),
            ureq::Error::Tls(error) => TransportError::Encryption(error.to_owned()),
            ureq::Error::HostNotFound => TransportError::NoHost,
            error => TransportError::Unreachable(io::Error::other(error.to_string())),
        }
    }
}

fn tail(program: &str) -> String {
    format!("/info/refs?service={program}")
}

/// A question and its answer, as libgit2 writes and reads them.
pub(super) struct Exchange {
    state: State,
    call: Arc<Call>,
}

enum State {
    /// What was read already.
    Read(io::Cursor<Vec<u8>>),
    /// What is to be asked.
    Asked { http: Arc<Mutex<Http>>, program: &'static str, body: SpooledTempFile, bytes: u64 },
    /// The answer, as it comes.
    Answered { http: Arc<Mutex<Http>>, body: BodyReader<'static> },
}

/// What libgit2 is to read or write for a service.
pub(super) fn open(http: &Arc<Mutex<Http>>, service: Service, call: &Arc<Call>) -> Result<Exchange, TransportError> {
    let program = program(service);
    let state = match service {
        Service::UploadPackLs | Service::ReceivePackLs => {
            let mut http = http.lock().unwrap_or_else(PoisonError::into_inner);
            let response = http.ask(program, Question::References)?;
            let answer = advertisement::read(&mut response.into_body().into_reader(), Wrapping::Service);
            State::Read(call.heard(answer.map_err(|error| match error {
                Unreadable::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => TransportError::NotGit,
                Unreadable::Io(error) => http.broke(error.into()),
                error => error.into(),
            })?))
        }
        Service::UploadPack | Service::ReceivePack => {
            State::Asked { http: Arc::clone(http), program, body: SpooledTempFile::new(IN_MEMORY), bytes: 0 }
        }
    };
    Ok(Exchange { state, call: Arc::clone(call) })
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                State::Read(bytes) => return bytes.read(buffer),
                State::Asked { http, program, body, bytes } => {
                    let answer =
                        http.lock().unwrap_or_else(PoisonError::into_inner).ask(program, Question::Rpc(body, *bytes));
                    let body = answer.map_err(|error| self.call.failed(error))?.into_body().into_reader();
                    self.state = State::Answered { http: Arc::clone(http), body };
                }
                State::Answered { http, body } => {
                    return body.read(buffer).map_err(|error| {
                        let error = http.lock().unwrap_or_else(PoisonError::into_inner).broke(error.into());
                        self.call.failed(error)
                    });
                }
            }
        }
    }
}

impl Write for Exchange {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Asked { body, bytes, .. } => {
                let written = body.write(buffer)?;
                *bytes += written as u64;
                Ok(written)
            }
            State::Read(_) | State::Answered { .. } => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
