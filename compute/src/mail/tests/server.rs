//! A mail server on a free port of 127.0.0.1: it speaks SMTP as RFC 5321 has it, and says what a test
//! has it say. What comes out of order is refused. The tests of whole hubs use it too.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What a server does at one point.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Says {
    /// What is right there.
    #[default]
    Well,
    /// This line.
    Line(&'static str),
    /// Nothing until the client goes.
    Hangs,
    /// It closes the connection.
    Closes,
}

/// How a server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    pub(crate) greeting: Says,
    pub(crate) auth: Says,
    pub(crate) mail: Says,
    pub(crate) rcpt: Says,
    pub(crate) data: Says,
    /// After the end of a letter.
    pub(crate) taken: Says,
    pub(crate) quit: Says,
    /// STARTTLS is offered, or TLS spoken from the start.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) is_encrypted_from_start: bool,
}

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// User and password.
    pub(crate) login: Option<(String, String)>,
    pub(crate) is_encrypted: bool,
    /// Head and body, without what SMTP adds.
    pub(crate) text: String,
}

pub(crate) struct Smtp {
    pub(crate) port: u16,
    letters: mpsc::UnboundedReceiver<Received>,
    heard: Heard,
    serving: JoinHandle<()>,
}

/// The verbs of all connections, as they came.
type Heard = Arc<Mutex<Vec<String>>>;

impl Smtp {
    pub(crate) async fn new() -> Smtp {
        Smtp::with(Manners::default()).await
    }

    pub(crate) async fn with(manners: Manners) -> Smtp {
        Smtp::each(vec![manners]).await
    }

    /// A connection after the other, the last ones alike.
    pub(crate) async fn each(manners: Vec<Manners>) -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, letters) = mpsc::unbounded_channel();
        let heard = Heard::default();
        let hears = heard.clone();
        let serving = tokio::spawn(async move {
            let mut n = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let of_this = manners[n.min(manners.len() - 1)].clone();
                let told = (told.clone(), hears.clone());
                n += 1;
                tokio::spawn(async move {
                    let from_start = of_this
                        .tls
                        .clone()
                        .filter(|_| of_this.is_encrypted_from_start);
                    match from_start {
                        None => Talk::new(of_this, told).serve(Box::new(stream)).await,
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                let mut talk = Talk::new(of_this, told);
                                talk.now.is_encrypted = true;
                                talk.serve(Box::new(stream)).await;
                            }
                        }
                    }
                });
            }
        });
        Smtp {
            port,
            letters,
            heard,
            serving,
        }
    }

    /// The next letter.
    pub(crate) async fn letter(&mut self) -> Received {
        self.letters.recv().await.unwrap()
    }

    /// What clients said so far, by verb: `EHLO`, `RCPT`.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    /// Letters that came and were not looked at.
    pub(crate) fn waiting(&self) -> usize {
        self.letters.len()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A connection, encrypted or not.
trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Line for S {}

type Stream = BufStream<Box<dyn Line>>;

struct Talk {
    manners: Manners,
    told: mpsc::UnboundedSender<Received>,
    heard: Heard,
    /// What has to come before the next: of a session, then of a letter.
    stage: Stage,
    now: Received,
}

/// How far a conversation is.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Stage {
    Connected,
    Greeted,
    From,
    To,
}

impl Talk {
    fn new(manners: Manners, (told, heard): (mpsc::UnboundedSender<Received>, Heard)) -> Talk {
        Talk {
            manners,
            told,
            heard,
            stage: Stage::Connected,
            now: Received::default(),
        }
    }

    fn hear(&self, verb: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(verb.to_owned());
    }

    /// Whether a command is in its place (RFC 5321 section 4.1.4).
    fn may_come(&self, verb: &str) -> bool {
        match verb {
            "STARTTLS" | "AUTH" | "MAIL" => self.stage == Stage::Greeted,
            "RCPT" => self.stage >= Stage::From,
            "DATA" => self.stage == Stage::To,
            _ => true,
        }
    }

    async fn serve(mut self, stream: Box<dyn Line>) {
        let mut stream = BufStream::new(stream);
        if !say(&mut stream, self.manners.greeting, "220 here").await {
            return;
        }
        loop {
            let Some(line) = line(&mut stream).await else {
                return;
            };
            let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
            let verb = verb.to_ascii_uppercase();
            self.hear(&verb);
            if !self.may_come(&verb) {
                say(&mut stream, Says::Well, "503 not now").await;
                continue;
            }
            let goes_on = match verb.as_str() {
                "EHLO" => {
                    self.stage = Stage::Greeted;
                    let offers_tls = self.manners.tls.is_some() && !self.now.is_encrypted;
                    let tls = if offers_tls { "250-STARTTLS\r\n" } else { "" };
                    let said = format!("250-here\r\n{tls}250-8BITMIME\r\n250 AUTH PLAIN LOGIN");
                    say(&mut stream, Says::Well, &said).await
                }
                "STARTTLS" => {
                    let tls = self.manners.tls.clone().unwrap();
                    say(&mut stream, Says::Well, "220 go on").await;
                    let accepted = TlsAcceptor::from(tls).accept(stream.into_inner()).await;
                    let Ok(encrypted) = accepted else {
                        return;
                    };
                    self.now.is_encrypted = true;
                    // What was said before counts for nothing (RFC 3207 section 4.2).
                    self.stage = Stage::Connected;
                    stream = BufStream::new(Box::new(encrypted));
                    true
                }
                "AUTH" => {
                    let plain = STANDARD.decode(rest.trim_start_matches("PLAIN ")).unwrap();
                    let plain = String::from_utf8(plain).unwrap();
                    let mut parts = plain.split('\0').skip(1).map(str::to_owned);
                    self.now.login = parts.next().zip(parts.next());
                    say(&mut stream, self.manners.auth, "235 welcome").await
                }
                "MAIL" => {
                    self.now.from = between(rest);
                    self.stage = Stage::From;
                    say(&mut stream, self.manners.mail, "250 ok").await
                }
                "RCPT" => {
                    if self.manners.rcpt == Says::Well {
                        self.now.to.push(between(rest));
                        self.stage = Stage::To;
                    }
                    say(&mut stream, self.manners.rcpt, "250 ok").await
                }
                "DATA" => {
                    let begins = say(&mut stream, self.manners.data, "354 go on").await;
                    if begins && self.manners.data == Says::Well {
                        self.now.text = text(&mut stream).await;
                        self.stage = Stage::Greeted;
                        let _ = self.told.send(std::mem::take(&mut self.now));
                        say(&mut stream, self.manners.taken, "250 taken").await
                    } else {
                        begins
                    }
                }
                "QUIT" => {
                    say(&mut stream, self.manners.quit, "221 bye").await;
                    return;
                }
                _ => say(&mut stream, Says::Well, "500 what?").await,
            };
            if !goes_on {
                return;
            }
        }
    }
}

fn between(rest: &str) -> String {
    let (_, rest) = rest.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

/// Whether the conversation goes on.
async fn say(stream: &mut Stream, says: Says, well: &str) -> bool {
    let said = match says {
        Says::Well => well,
        Says::Line(said) => said,
        Says::Hangs => {
            while line(stream).await.is_some() {}
            return false;
        }
        Says::Closes => return false,
    };
    let written = stream.write_all(format!("{said}\r\n").as_bytes()).await;
    written.is_ok() && stream.flush().await.is_ok()
}

async fn line(stream: &mut Stream) -> Option<String> {
    let mut line = String::new();
    let bytes = stream.read_line(&mut line).await.ok()?;
    (bytes > 0).then(|| line.trim_end().to_owned())
}

/// A letter until the line with a dot alone, of which RFC 5321 section 4.5.2 takes one dot away where a
/// line begins with two.
async fn text(stream: &mut Stream) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await;
        if !read.is_ok_and(|bytes| bytes > 0) || line == ".\r\n" {
            return text;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
