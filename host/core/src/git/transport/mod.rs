//! How a git remote is spoken with: libgit2 has the protocol, and asks here for a stream of bytes.
//!
//! libgit2 is built without a library of TLS or ssh of its own (they want OpenSSL, and ignore what `~/.ssh/config` says). It knows
//! one scheme of ours instead, and asks whichever [`Call`] the thread has open; so an address never takes a way through libgit2's
//! own reading of URLs. `address` says where a remote is, `pipe` runs the user's `ssh`, or git itself for a repository on this
//! machine (so that its hooks and its locks count), `http` speaks HTTP; `advertisement` reads what comes first.

mod address;
mod advertisement;
mod credential;
mod error;
mod http;
mod http_settings;
mod pipe;

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

pub use address::{Address, AddressError};
pub use error::TransportError;
pub use pipe::LOCAL_VARIABLES;

use super::{CommitId, RefName};
use http::Http;
use pipe::Pipe;

/// What the surroundings say of how remotes are reached; from the environment, unless said otherwise.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `GIT_SSH_COMMAND`: a command of the shell.
    pub ssh_command: Option<String>,
    /// `GIT_SSH`: a program.
    pub ssh: Option<String>,
    /// `http_proxy` (in lower case alone, as everywhere).
    pub http_proxy: Option<String>,
    /// `https_proxy`, `HTTPS_PROXY`.
    pub https_proxy: Option<String>,
    /// `all_proxy`, `ALL_PROXY`.
    pub all_proxy: Option<String>,
    /// `no_proxy`, `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `GIT_SSL_CAINFO`.
    pub ca_file: Option<String>,
    /// Whether `GIT_SSL_NO_VERIFY` is set.
    pub verify: Verify,
    /// How long nothing may move (`[git] timeout` of `dewar.toml`).
    pub patience: Duration,
}

/// Whether the certificate of a server has to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// It has to.
    #[default]
    Yes,
    /// The user asked not to look.
    No,
}

/// A conversation with a remote: how it is reached, and what came of it.
pub(super) struct Call {
    route: Route,
    heard: Mutex<Heard>,
}

enum Route {
    Pipe(pipe::Route),
    Http(Box<http_settings::HttpSettings>),
}

/// What was learnt beside what libgit2 learns.
#[derive(Default)]
struct Heard {
    refs: Vec<(RefName, CommitId)>,
    failure: Option<TransportError>,
}

impl Call {
    /// A conversation with the remote at `address`.
    ///
    /// # Errors
    /// When a setting of git cannot be used.
    pub(super) fn new(
        address: &Address,
        settings: &git2::Config,
        around: &Surroundings,
        folder: &std::path::Path,
    ) -> Result<Self, TransportError> {
        let route = match address {
            Address::Local(path) => Route::Pipe(pipe::Route::local(path, around)),
            Address::Ssh(address) => Route::Pipe(pipe::Route::ssh(address, settings, around)),
            Address::Http(address) => {
                Route::Http(Box::new(http_settings::HttpSettings::new(address, settings, around, folder)?))
            }
        };
        Ok(Self { route, heard: Mutex::default() })
    }

    /// The references that the remote told of, and no others.
    pub(super) fn refs(&self) -> Vec<(RefName, CommitId)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).refs.clone()
    }

    /// What went wrong first, if anything did.
    pub(super) fn failure(&self) -> Option<TransportError> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    /// Keeps what the remote told, and gives libgit2 its part.
    fn heard(&self, answer: advertisement::Advertisement) -> io::Cursor<Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).refs = answer.refs;
        io::Cursor::new(answer.bytes)
    }

    /// Keeps why it failed; libgit2 has no room for more than a text.
    fn failed(&self, error: TransportError) -> io::Error {
        let told = io::Error::other(error.to_string());
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).failure.get_or_insert(error);
        told
    }
}

/// The URL that libgit2 is told, whatever the address is.
pub(super) const URL: &str = "dewar://remote";
const SCHEME: &str = "dewar";

thread_local! {
    /// With whom this thread speaks.
    static CALL: RefCell<Option<Arc<Call>>> = const { RefCell::new(None) };
}

/// Runs what has libgit2 connect to [`URL`], which is then `call`.
///
/// # Errors
/// Those of `connect`, and when libgit2 does not take the transport.
pub(super) fn with<T>(call: &Arc<Call>, connect: impl FnOnce() -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    register()?;
    CALL.set(Some(Arc::clone(call)));
    let done = connect();
    CALL.set(None);
    done
}

/// Tells libgit2 of the scheme, once.
fn register() -> Result<(), git2::Error> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        let transport = |remote: &git2::Remote<'_>| {
            let call = CALL.with_borrow(Clone::clone);
            let call = call.ok_or_else(|| git2::Error::from_str("nobody is to be called"))?;
            let stateless = matches!(call.route, Route::Http(_));
            Transport::smart(remote, stateless, Subtransport { call, http: Mutex::default() })
        };
        // SAFETY: libgit2's list of transports may not be changed while another thread looks through it, which happens when a
        // remote connects. Every remote of this program connects within `with`, which comes here first, and `get_or_init` lets
        // nobody pass before this is done, nor does it twice.
        #[expect(unsafe_code, reason = "the only way to give libgit2 a transport")]
        unsafe { git2::transport::register(SCHEME, transport) }.map_err(|error| error.message().to_owned())
    });
    registered.as_ref().map_err(|message| git2::Error::from_str(message)).copied()
}

/// What libgit2 asks for streams.
struct Subtransport {
    call: Arc<Call>,
    /// What is kept between two requests of HTTP.
    http: Mutex<Option<Arc<Mutex<Http>>>>,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let stream = match &self.call.route {
            // The same one serves what follows, and libgit2 keeps it.
            Route::Pipe(route) => Pipe::open(route, service, &self.call).map(Stream::Pipe),
            Route::Http(settings) => {
                let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
                match &*http {
                    Some(http) => http::open(http, service, &self.call).map(Stream::Http),
                    None => Http::new(settings).and_then(|fresh| {
                        let fresh = http.insert(Arc::new(Mutex::new(fresh)));
                        http::open(fresh, service, &self.call).map(Stream::Http)
                    }),
                }
            }
        };
        match stream {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(git2::Error::from_str(&self.call.failed(error).to_string())),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// What libgit2 reads and writes.
enum Stream {
    Pipe(Pipe),
    Http(http::Exchange),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.read(buffer),
            Self::Http(exchange) => exchange.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.write(bytes),
            Self::Http(exchange) => exchange.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What git calls the program of a service.
const fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}
