//! A server for tests: answers each request with the next line of its book, and keeps what it was asked.
//!
//! It listens on 127.0.0.1, takes one connection at a time and ends when its book is at its end. It knows nothing of hosts or runs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

use crate::machine::Bell;

/// Rings when a partial report has been answered.
pub static PARTIAL: Bell = Bell::new();

/// One line of the book.
pub enum Line {
    /// A status, a header line or nothing, a body.
    Say(u16, &'static str, String),
    /// Takes the request and breaks the connection.
    Hang,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `/agent/v1/hello`
    pub path: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The body.
    pub body: Value,
}

/// A running one.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    asked: Receiver<Asked>,
    thread: JoinHandle<()>,
}

impl Server {
    /// With this book.
    pub fn with(book: Vec<Line>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (say, asked) = channel();
        let thread = thread::spawn(move || {
            for line in &book {
                let mut stream = next(&listener, &say);
                if let Line::Say(status, header, body) = line {
                    write(&mut stream, *status, header, body);
                }
            }
        });
        Self { address, asked, thread }
    }

    /// Everything that was asked. The book must be at its end.
    pub fn asked(self) -> Vec<Asked> {
        let asked = self.asked.iter().collect();
        self.thread.join().unwrap();
        asked
    }
}

/// The next request that the book answers. Partial reports come or do not come, as the collectors' threads run: they have an answer of their own.
fn next(listener: &TcpListener, say: &Sender<Asked>) -> TcpStream {
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let one = read(&mut stream);
        let is_partial = one.body["kind"] == "partial";
        say.send(one).unwrap();
        if !is_partial {
            return stream;
        }
        write(&mut stream, 200, "", r#"{"protocol":1,"action":"continue","heartbeat_secs":30}"#);
        PARTIAL.ring();
    }
}

fn read(stream: &mut TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = lines.iter().skip(1).filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Asked {
        path: lines[0].split(' ').nth(1).unwrap().to_owned(),
        authorization: header("authorization"),
        body: serde_json::from_slice(&body).unwrap(),
    }
}

fn write(stream: &mut TcpStream, status: u16, header: &str, body: &str) {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let head =
        format!("HTTP/1.1 {status} Word\r\nContent-Type: application/json\r\nConnection: close\r\n{header}Content-Length: {}\r\n\r\n", body.len());
    // A client that has gone away has heard enough.
    let _gone = stream.write_all(format!("{head}{body}").as_bytes());
}
