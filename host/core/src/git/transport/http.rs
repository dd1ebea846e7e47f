//! [`Http`]: a git server of smart HTTP (gitprotocol-http(5)): one request a question, whose answer is read as it comes.

use std::io::{self, Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::Service;
use tempfile::SpooledTempFile;
use ureq::http::{Response, StatusCode, header};
use ureq::{Body, BodyReader, RequestBuilder, SendBody};

use super::address::HttpAddress;
use super::advertisement::{self, Unreadable, Wrapping};
use super::credential::{Credential, Verdict};
use super::http_settings::{Follow, HttpSettings};
use super::{Call, TransportError, program};
use crate::words::visible;

/// A question up to this size waits in memory, a larger one in a file without a name.
const IN_MEMORY: usize = 1 << 20;
/// As many redirections are followed as git follows.
const REDIRECTIONS: u32 = 20;

/// A server, and who asks it.
pub(super) struct Http {
    agent: ureq::Agent,
    /// How the server is asked that the first request was led to.
    settings: HttpSettings,
    /// Where the repository is there.
    base: HttpAddress,
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
    /// One that nobody has asked yet.
    pub(super) fn new(settings: &HttpSettings) -> Self {
        Self {
            agent: settings.agent(),
            base: settings.address.clone(),
            settings: settings.clone(),
            credential: None,
            taken: false,
        }
    }

    /// Asks until the server knows who asks; its answer is a good one.
    fn ask(&mut self, program: &str, mut question: Question<'_>) -> Result<Response<Body>, TransportError> {
        loop {
            let (response, bytes) = match &mut question {
                Question::References => (self.references(program)?, 0),
                Question::Rpc(body, bytes) => (self.rpc(program, body, *bytes)?, *bytes),
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
                credential.settle(Verdict::Approve, &self.settings.folder);
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

    /// Asks what there is, wherever that leads; later requests go there, too.
    fn references(&mut self, program: &str) -> Result<Response<Body>, TransportError> {
        let mut at = HttpAddress { path: format!("{}{}", self.base.path, tail(program)), ..self.base.clone() };
        for redirections in 0.. {
            let request = self.with_headers(self.agent.get(at.url())).header(header::PRAGMA, "no-cache");
            let request = request.config().max_redirects(0).max_redirects_will_error(false).build();
            let response = request.call().map_err(|error| self.broke(error))?;
            let location = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let follows = self.settings.follow == Follow::Initial && redirections < REDIRECTIONS;
            let Some(location) = location.filter(|_| follows && response.status().is_redirection()) else {
                if redirections > 0 {
                    let base = at.path.strip_suffix(&tail(program)).map(str::to_owned);
                    let path = base.ok_or_else(|| self.redirected(&at.url()))?;
                    self.base = HttpAddress { path, ..at };
                }
                return Ok(response);
            };
            let to = at.redirected(location).ok_or_else(|| self.redirected(location))?;
            if !at.is_same_server(&to) {
                // Another server has no right to what the settings have for this one, nor to who asks.
                self.settings = self.settings.at(&to)?;
                self.agent = self.settings.agent();
                self.credential = None;
                self.taken = false;
            }
            at = to;
        }
        Err(self.redirected(&at.url()))
    }

    /// Asks the rest.
    fn rpc(&self, program: &str, body: &mut SpooledTempFile, bytes: u64) -> Result<Response<Body>, TransportError> {
        body.rewind().map_err(TransportError::Unreachable)?;
        let request = self
            .with_headers(self.agent.post(format!("{}/{program}", self.base.url())))
            .header(header::CONTENT_TYPE, format!("application/x-{program}-request"))
            .header(header::ACCEPT, format!("application/x-{program}-result"))
            .header(header::CONTENT_LENGTH, bytes.to_string());
        let request = request.config().max_redirects(0).max_redirects_will_error(false).build();
        request.send(SendBody::from_reader(body)).map_err(|error| self.broke(error))
    }

    /// What stands in each request. What proves who asks takes the place of such a header of the settings.
    fn with_headers<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let proof = self.credential.as_ref().map(|credential| (header::AUTHORIZATION.as_str(), credential.header()));
        let headers = self.settings.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        headers
            .filter(|(name, _)| proof.is_none() || !name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
            .chain(proof.clone())
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    fn redirected(&self, to: &str) -> TransportError {
        let (to, _) = to.split_once('?').unwrap_or((to, ""));
        let to = match to.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
            None => to.to_owned(),
        };
        TransportError::Redirected { to: visible(&to) }
    }

    /// The server wants to know who asks: what stands in the URL first, then what git knows or the user says.
    fn prove(&mut self) -> Result<(), TransportError> {
        if let Some(credential) = self.credential.take() {
            credential.settle(Verdict::Reject, &self.settings.folder);
            return Err(TransportError::CredentialsRefused { user: Some(credential.user) });
        }
        let found = Credential::of_url(&self.base).or_else(|| Credential::ask(&self.base, &self.settings.folder));
        self.credential = Some(found.ok_or(TransportError::CredentialsWanted)?);
        Ok(())
    }

    /// What went wrong below HTTP.
    fn broke(&self, error: ureq::Error) -> TransportError {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                TransportError::Unreachable(io::ErrorKind::TimedOut.into())
            }
            ureq::Error::Timeout(_) => TransportError::Silent(self.settings.patience),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                TransportError::Silent(self.settings.patience)
            }
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread::{JoinHandle, spawn};
    use std::time::Duration;

    use super::super::{Address, Surroundings};
    use super::*;

    /// A server that answers so many requests, and what it was sent.
    fn server(listener: TcpListener, answers: Vec<String>) -> JoinHandle<Vec<String>> {
        spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(format!("HTTP/1.1 {answer}\r\n{rest}").as_bytes()).unwrap();
                asked.join("\n").to_ascii_lowercase()
            };
            answers.into_iter().map(answer).collect()
        })
    }

    fn http(url: &str, lines: &str) -> Http {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let settings = git2::Config::open(file.path()).unwrap().snapshot().unwrap();
        let around = Surroundings { patience: Duration::from_secs(20), ..Surroundings::default() };
        let Address::Http(address) = Address::parse(url, Path::new("/")).unwrap() else { panic!("{url}") };
        Http::new(&HttpSettings::new(&address, &settings, &around, Path::new("/")).unwrap())
    }

    #[test]
    fn headers_for_a_server_stay_with_it() {
        let [one, two] = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [first, second] = [&one, &two].map(|listener| listener.local_addr().unwrap());
        let settings = format!(
            "[http]\n extraHeader = X-All: a\n[http \"http://{first}\"]\n extraHeader = X-First: secret\n\
             [http \"http://{second}\"]\n extraHeader = X-Second: b\n"
        );
        let mut http = http(&format!("http://{first}/a"), &settings);
        let tail = tail("git-upload-pack");
        let one = server(
            one,
            vec![
                format!("302 Found\r\nLocation: /b{tail}"),
                format!("307 Temporary Redirect\r\nLocation: http://{second}/c{tail}"),
            ],
        );
        let two = server(two, vec!["404 Not Found".to_owned()]);
        let answer = http.ask("git-upload-pack", Question::References);
        assert!(matches!(answer, Err(TransportError::NotFound)), "{:?}", answer.err());
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        assert!(one.iter().all(|asked| asked.contains("x-first: secret") && asked.contains("x-all: a")), "{one:?}");
        assert!(one[1].starts_with(&format!("get /b{tail} ")), "{one:?}");
        assert!(!two[0].contains("x-first") && two[0].contains("x-second: b"), "{two:?}");
        assert_eq!(http.base.url(), format!("http://{second}/c"));
    }

    #[test]
    fn what_leads_in_a_circle_or_elsewhere_is_told() {
        let tail = tail("git-upload-pack");
        for (count, location) in [(21, format!("/a{tail}")), (1, "ftp://host/a".to_owned()), (2, "/login".to_owned())] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut http = http(&format!("http://{}/a", listener.local_addr().unwrap()), "");
            let mut answers = vec![format!("302 Found\r\nLocation: {location}"); count];
            if location == "/login" {
                answers[1] = "200 OK".to_owned();
            }
            let server = server(listener, answers);
            let answer = http.ask("git-upload-pack", Question::References);
            assert!(matches!(answer, Err(TransportError::Redirected { .. })), "{location}: {:?}", answer.err());
            server.join().unwrap();
        }
    }
}
