//! How fast our TFTP is beside async-tftp, in one run on one machine: `cargo run --release --example tftp_bench [CLIENTS] [MIB]`.
//!
//! Each server has one thread, the clients share another; both serve the same bytes to the same client code over the loopback.
//! Only the ratio means anything: absolute figures move with the machine and its other work. `tftp_bench serve ADDRESS FILE` only
//! serves one file, under any name and without limits, for load generators and profilers.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on says so; its result is its output")]

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bootwright::{
    rules::transfer::{Event, Refusal, Silence},
    serve::tftp::{Files, Server, Settings},
    wire::tftp::{FileName, Mode, Options, Packet, Request},
};
use bytes::Bytes;
use tokio::{net::UdpSocket, runtime::Builder, task::JoinSet};
use tokio_util::sync::CancellationToken;

const NAME: &str = "loader.efi";
const BLKSIZE: u64 = 1468;

struct One(Bytes);

#[async_trait]
impl Files for One {
    async fn open(&self, _: SocketAddrV4, _: &FileName) -> Result<Bytes, Refusal> {
        Ok(self.0.clone())
    }
    fn event(&self, _: SocketAddrV4, _: &FileName, _: &Event) {}
    fn refused(&self, peer: SocketAddrV4, _: &str, refusal: &Refusal) {
        println!("{peer} refused: {refusal}");
    }
    fn silent(&self, _: SocketAddrV4, _: Silence) {}
}

/// Runs a server on a thread of its own and says where; the thread goes with the program.
fn ours(file: Bytes) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut settings = Settings::at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
            (settings.limits.per_peer, settings.threads) = (usize::MAX, 1);
            let server = Server::bind(settings).unwrap();
            tell.send(server.address()).unwrap();
            server.run(Arc::new(One(file)), CancellationToken::new()).await;
        });
    });
    told.recv().unwrap().into()
}

fn theirs(folder: &Path) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    let folder = folder.to_owned();
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let builder = async_tftp::server::TftpServerBuilder::with_dir_ro(folder).unwrap().bind((Ipv4Addr::LOCALHOST, 0).into());
            let server = builder.build().await.unwrap();
            tell.send(server.listen_addr().unwrap()).unwrap();
            server.serve().await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// Fetches the file; its length. A client that hears nothing says its last word again.
async fn fetch(server: SocketAddr, windowsize: u64) -> usize {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let options = Options { blksize: Some(BLKSIZE), windowsize: (windowsize > 1).then_some(windowsize), ..Options::default() };
    let mut word = Packet::Read(Request { name: NAME.into(), mode: Mode::Octet, options }).to_bytes();
    let (mut to, mut length, mut got, mut in_window) = (server, 0, 0_u16, 0);
    let mut buffer = [0; 2048];
    socket.send_to(&word, to).await.unwrap();
    loop {
        let Ok(arrived) = tokio::time::timeout(Duration::from_secs(1), socket.recv_from(&mut buffer)).await else {
            socket.send_to(&word, to).await.unwrap();
            continue;
        };
        let (size, from) = arrived.unwrap();
        to = from;
        let (mut due, mut last) = (true, false);
        match Packet::parse(&buffer[..size]).unwrap() {
            Packet::Data { block, bytes } if block == got.wrapping_add(1) => {
                (got, length, in_window) = (block, length + bytes.len(), in_window + 1);
                last = bytes.len() < BLKSIZE as usize;
                due = last || in_window == windowsize;
            }
            Packet::OptionAck(_) | Packet::Data { .. } => {}
            other => panic!("{other:?}"),
        }
        if due {
            in_window = 0;
            word = Packet::Ack { block: got }.to_bytes();
            socket.send_to(&word, to).await.unwrap();
        }
        if last {
            return length;
        }
    }
}

/// MB/s of so many clients at once.
async fn measure(server: SocketAddr, clients: usize, windowsize: u64, size: usize) -> f64 {
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..clients {
        running.spawn(fetch(server, windowsize));
    }
    for length in running.join_all().await {
        assert_eq!(length, size);
    }
    (clients * size) as f64 / 1e6 / begin.elapsed().as_secs_f64()
}

/// Serves one file until it is ended from outside.
fn serve(address: &str, file: &str) {
    let file: Bytes = std::fs::read(file).unwrap().into();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut settings = Settings::at(address.parse().unwrap());
        (settings.limits.per_peer, settings.limits.in_total) = (usize::MAX, usize::MAX);
        Server::bind(settings).unwrap().run(Arc::new(One(file)), CancellationToken::new()).await;
    });
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, address, file] = &words[..]
        && verb == "serve"
    {
        return serve(address, file);
    }
    let mut numbers = words.iter().map(|number| number.parse::<usize>().unwrap());
    let (clients, size) = (numbers.next().unwrap_or(64), numbers.next().unwrap_or(1) << 20);
    let file: Bytes = (0..size).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>().into();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), &file).unwrap();
    let (ours, theirs) = (ours(file), theirs(folder.path()));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for windowsize in [1, 4, 16] {
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            mine.push(runtime.block_on(measure(ours, clients, windowsize, size)));
            other.push(runtime.block_on(measure(theirs, clients, windowsize, size)));
        }
        mine.sort_by(f64::total_cmp);
        other.sort_by(f64::total_cmp);
        println!("{clients} clients, window {windowsize}: {:.0} MB/s, async-tftp {:.0} MB/s, ratio {:.1}", mine[1], other[1], mine[1] / other[1]);
    }
}
