//! A process out of file descriptors: it waits, serves those it has, and goes on when there are
//! some again.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use syncline_tests::HUNG;
use syncline_tests::hub_process::HubProcess;

/// Descriptors the process may have; it needs some itself.
const DESCRIPTORS: u32 = 64;

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(1);

fn start(dir: &Path) -> HubProcess {
    let hub = crate::process::hub(dir, &["serve", "--dev"]);
    let program = hub.get_program().to_str().unwrap().to_owned();
    let limited = format!("ulimit -n {DESCRIPTORS}; exec {program} serve --dev");
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).current_dir(dir).env_clear();
    command.envs(
        hub.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
        .stdin(Stdio::null())
        .stderr(File::create(dir.join("log")).unwrap());
    HubProcess::start_logging(command)
}

/// Asks over a connection that stays open.
fn ask(stream: &mut TcpStream) -> bool {
    let asked = stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut answer = [0; 12];
    asked.is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 200"
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HUNG)).unwrap();
    stream
}

fn refusals(dir: &Path) -> usize {
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    log.lines()
        .filter(|line| line.contains("cannot accept"))
        .count()
}

#[test]
fn a_process_out_of_descriptors_does_not_spin_and_serves_again_when_there_are_some() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path());
    let mut first = connect(node.public);
    let crowd: Vec<TcpStream> = (0..2 * DESCRIPTORS).map(|_| connect(node.public)).collect();
    let began = Instant::now();
    while refusals(dir.path()) == 0 {
        assert!(began.elapsed() < HUNG, "it never ran out");
        sleep(Duration::from_millis(10));
    }
    let (cpu_s, refused) = (node.cpu_s(), refusals(dir.path()));
    sleep(WATCHED);
    let (cpu_s, refused) = (node.cpu_s() - cpu_s, refusals(dir.path()) - refused);
    assert!(
        cpu_s < 0.5,
        "it used {cpu_s} s of processor time in {WATCHED:?}"
    );
    assert!(refused < 40, "it tried {refused} times in {WATCHED:?}");
    assert!(ask(&mut first), "whom it has taken it serves");
    drop(crowd);
    let mut after = connect(node.public);
    assert!(ask(&mut after), "it serves again");
    let (code, _) = node.end("TERM");
    assert_eq!(code, Some(0));
}
