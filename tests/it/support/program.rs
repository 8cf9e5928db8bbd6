//! The real program, as an operator starts and ends it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use super::http::Http;

/// An installation: a database, a folder, and settings that stay the same however often it is started.
#[derive(Clone)]
pub struct Installation {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

/// A started server. It does not outlive the test.
pub struct Server {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub address: String,
    /// From the start of the process until it said that it is ready.
    pub ready_after: Duration,
}

impl Installation {
    /// An installation of its own folder on a database.
    pub fn new(folder: PathBuf, database_url: &str) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let settings = vec![
            ("DATABASE_URL", database_url.to_owned()),
            ("ENSEMBLE_DATA_DIR", folder.display().to_string()),
            ("ENSEMBLE_LISTEN", "127.0.0.1:0".to_owned()),
            ("ENSEMBLE_PUBLIC_URL", "http://localhost:8080".to_owned()),
            (
                "ENSEMBLE_SECRET",
                "a secret that only the tests know".to_owned(),
            ),
        ];
        Self { folder, settings }
    }

    /// The same with one more setting.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// A command of the program, with this installation's settings and no others.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ensemble"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub async fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// Runs a command that must succeed; returns what it printed.
    pub async fn done<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{output:#?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes an administrator `root@vendor.example` with this password, so that no demo is loaded.
    pub async fn administrator(&self, password: &str) {
        self.administrator_at("root@vendor.example", password).await;
    }

    /// Makes an administrator of this address.
    pub async fn administrator_at(&self, email: &str, password: &str) {
        let arguments = ["admin", "create", "--email", email];
        let mut command = self.command(arguments.into_iter().chain(["--name", "Root"]));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let password = password.to_owned();
        let status = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(password.as_bytes()).unwrap();
            drop(stdin);
            child.wait().unwrap()
        });
        assert!(status.await.unwrap().success());
    }

    /// Starts the server and waits until it is ready.
    pub async fn serve(&self) -> Server {
        self.serve_with(["serve"]).await
    }

    /// The same with these arguments.
    pub async fn serve_with<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Server {
        self.start(self.command(arguments)).await
    }

    /// The same with so many file descriptors.
    pub async fn serve_with_descriptors(&self, descriptors: u32) -> Server {
        let plain = self.command(["serve"]);
        let mut limited = Command::new("sh");
        limited
            .args([
                "-c",
                &format!("ulimit -n {descriptors} && exec \"$0\" serve"),
            ])
            .arg(plain.get_program())
            .env_clear()
            .envs(
                plain
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        self.start(limited).await
    }

    async fn start(&self, mut command: Command) -> Server {
        let started = Instant::now();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("server.log"))
            .unwrap();
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut tell = Some(tell);
            // Read to the end: a full pipe would hold the server up.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listens on ")
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(address.to_owned());
                }
            }
        });
        let mut server = Server {
            child,
            address: String::new(),
            ready_after: Duration::ZERO,
        };
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        server.address = told
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| panic!("the server did not start:\n{}", self.log()));
        let http = Http::default();
        let probe = format!("{}/readyz", server.address);
        super::until("ready", || async {
            matches!(http.get(&probe).await, Ok((200, _)))
        })
        .await;
        server.ready_after = started.elapsed();
        server
    }

    /// What its servers logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }
}

impl Server {
    /// Ends it like a power cut.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        terminate(&self.child);
    }

    /// Waits until it has stopped, within the time that service managers give.
    pub async fn stopped(&mut self) -> ExitStatus {
        stopped(&mut self.child).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM.
pub fn terminate(child: &Child) {
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Waits until a process has ended, 30 seconds at most.
pub async fn stopped(child: &mut Child) -> ExitStatus {
    let mut status = None;
    let since = Instant::now();
    while status.is_none() {
        assert!(
            since.elapsed() < Duration::from_secs(30),
            "it does not stop"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
        status = child.try_wait().unwrap();
    }
    status.unwrap()
}
