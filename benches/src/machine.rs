//! The processes under measurement: a PostgreSQL server of our own, the servers, and what the kernel counts of them.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Result;

/// A port that is free at this moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A PostgreSQL server with the settings that a fresh installation has, durability included.
pub struct Postgres {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server whose data lies in a folder; a server that was there before goes on.
    pub fn start(folder: &Path) -> Result<Self> {
        let server = Self {
            binaries: newest_binaries()?,
            folder: folder.to_owned(),
            port: free_port()?,
        };
        let sockets = folder.with_extension("socket");
        fs::create_dir_all(&sockets)?;
        if !folder.join("PG_VERSION").exists() {
            fs::create_dir_all(folder)?;
            if is_root() {
                run(Command::new("chown")
                    .arg("postgres")
                    .arg(folder)
                    .arg(&sockets))?;
            }
            let folder = folder.to_string_lossy();
            run(&mut server.command(
                "initdb",
                &[
                    "-D",
                    &folder,
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--no-locale",
                ],
            ))?;
        }
        let options = format!("-h 127.0.0.1 -p {} -k {}", server.port, sockets.display());
        let folder = folder.to_string_lossy();
        let log = format!("{folder}/log");
        run(&mut server.command(
            "pg_ctl",
            &["-D", &folder, "-l", &log, "-o", &options, "-w", "start"],
        ))?;
        Ok(server)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.binaries.join(program);
        // PostgreSQL refuses to run as root.
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments);
        command
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// All its processes.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let text = fs::read_to_string(self.folder.join("postmaster.pid"))?;
        let first: u32 = text.lines().next().unwrap_or_default().trim().parse()?;
        let mut found = vec![first];
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if Stat::of(id).is_some_and(|stat| stat.parent == first) {
                found.push(id);
            }
        }
        Ok(found)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let folder = self.folder.to_string_lossy().into_owned();
        let _ = run(&mut self.command("pg_ctl", &["-D", &folder, "-m", "fast", "-w", "stop"]));
    }
}

fn newest_binaries() -> Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql")? {
        let entry = entry?;
        if let Some(version) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            versions.push((version, entry.path().join("bin")));
        }
    }
    let newest = versions.into_iter().max().map(|(_, path)| path);
    newest.ok_or_else(|| "PostgreSQL is not installed".into())
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|text| {
        text.lines()
            .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some("0"))
    })
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

/// A server that was started and goes with this value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took from its start until it answered.
    pub ready_after: Duration,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let mut server = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while started.elapsed() < Duration::from_secs(30) {
            if ready(address) {
                server.ready_after = started.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{command:?} ended with {status}").into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("{command:?} did not become ready").into())
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn ready(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}

/// What the kernel says of a process.
struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            ticks: number(11)? + number(12)?,
        })
    }
}

/// The processor time that processes have taken so far, in their own code and in the kernel. A tick is 10 ms.
pub fn processor_time(processes: &[u32]) -> Duration {
    let ticks: u64 = processes
        .iter()
        .filter_map(|process| Some(Stat::of(*process)?.ticks))
        .sum();
    Duration::from_millis(10 * ticks)
}

/// A value of `/proc/PID/status` in mebibytes: `VmHWM` is the most memory ever, `VmRSS` the memory now.
pub fn memory(process: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    let kibibytes: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(f64::from(kibibytes) / 1_024.0)
}

/// A command that ran to its end.
pub struct Finished {
    /// How long it took.
    pub time: Duration,
    /// Its processor time.
    pub processor: Duration,
    /// The most memory it had, in mebibytes.
    pub memory: f64,
}

/// Runs a command and watches it; kills it after a time, if one is given.
pub fn watch(command: &mut Command, killed_after: Option<Duration>) -> Result<Finished> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut finished = Finished {
        time: Duration::ZERO,
        processor: Duration::ZERO,
        memory: 0.0,
    };
    loop {
        if let Some(memory) = memory(child.id(), "VmHWM") {
            finished.memory = memory;
            finished.processor = processor_time(&[child.id()]);
        }
        if let Some(status) = child.try_wait()? {
            finished.time = started.elapsed();
            if status.success() {
                return Ok(finished);
            }
            return Err(format!("{command:?} ended with {status}").into());
        }
        if killed_after.is_some_and(|limit| started.elapsed() > limit) {
            child.kill()?;
            child.wait()?;
            finished.time = started.elapsed();
            return Ok(finished);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
