//! A user manager and its bus, in the process of the test: they answer as `systemd --user` and dbus-daemon or dbus-broker
//! do, as far as we rely on it (org.freedesktop.systemd1(5)), over a socket pair or a socket in the file system.
//!
//! Units change their states at once, and jobs end right after they were answered, as they do on an idle machine. Each
//! method can be told to hang, to break the connection, or to be refused. What was called is written down, in order.

use std::collections::{BTreeMap, VecDeque};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;
use zbus::message::{Header, Message, Type};
use zbus::{Connection, DynamicType, MatchRule, MessageStream, OwnedMatchRule, OwnedObjectPath, OwnedVariant, Variant};

use crate::dbus::{self, BUS, PROPERTIES};
use crate::deadline;
use crate::environment::block::{self, Block};
use crate::manager::{Manager, names};
use crate::runtime_dir::RuntimeDir;

const MANAGER_OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
/// The error for a unit that is not loaded and has no file.
pub(crate) const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
const GUID: &str = "0123456789abcdef0123456789abcdef";

/// How the jobs of a unit end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// With this result; "done" changes the unit's state.
    Ends(&'static str),
    /// Not at all.
    Hangs,
}

/// A unit that is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// `ActiveState`.
    pub active: &'static str,
    /// `SubState`.
    pub sub: &'static str,
    /// What its jobs come to.
    pub job: Job,
    /// Units that its start stops.
    pub conflicts: Vec<&'static str>,
    /// The processes in its control group.
    pub processes: Vec<u32>,
    /// Those of its properties that are not as in a unit that has done nothing yet.
    pub properties: BTreeMap<String, OwnedVariant>,
    /// Whether it goes with its end.
    pub transient: bool,
}

impl Unit {
    /// One in this state.
    pub(crate) fn new(active: &'static str) -> Self {
        let sub = match active {
            "active" => "running",
            "inactive" => "dead",
            other => other,
        };
        let (conflicts, processes, properties) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { active, sub, job: Job::Ends("done"), conflicts, processes, properties, transient: false }
    }

    /// With a property of this value.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Variant<'static>>) -> Self {
        self.properties.insert(name.to_owned(), variant(value));
        self
    }

    /// Whose start stops others.
    pub(crate) fn against(mut self, units: &[&'static str]) -> Self {
        self.conflicts = units.to_vec();
        self
    }

    /// Whose jobs come to this.
    pub(crate) fn whose_job(mut self, job: Job) -> Self {
        self.job = job;
        self
    }

    fn property(&self, interface: &str, name: &str) -> Option<OwnedVariant> {
        let none = Vec::<String>::new;
        let usual = match (interface, name) {
            (UNIT, "Wants" | "Requires" | "RequiredBy" | "BoundBy" | "ConsistsOf") => variant(none()),
            (UNIT, "ActiveState") => variant(self.active),
            (UNIT, "ActiveEnterTimestamp") => variant(0_u64),
            (SERVICE, "ExecMainStartTimestampMonotonic") => variant(0_u64),
            (SERVICE, "Result") => variant("success".to_owned()),
            (SERVICE, "ExecMainCode" | "ExecMainStatus") => variant(0_i32),
            (SERVICE, "ExecMainPID" | "MainPID") => variant(0_u32),
            (SERVICE, "Restart") => variant("no".to_owned()),
            (SERVICE, "KillMode") => variant("control-group".to_owned()),
            (SERVICE, "ControlGroup") => variant(String::new()),
            _ => return None,
        };
        Some(self.properties.get(name).cloned().unwrap_or(usual))
    }
}

/// Whether and when the bus passes on to the manager what `UpdateActivationEnvironment` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// Before it answers, as dbus-daemon.
    AtOnce,
    /// So long after it has answered, as dbus-broker.
    Late(Duration),
    /// A dbus-daemon without systemd.
    Never,
}

/// What a method does in place of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Hangs,
    Breaks,
    Refuses(&'static str),
}

struct Peer {
    /// Its unique name.
    name: String,
    connection: Connection,
    /// The same socket, to break the connection by.
    socket: UnixStream,
    /// Whether it is connected to the manager itself and not to a bus: then it is told everything, asked for or not.
    is_own: bool,
    rules: Vec<OwnedMatchRule>,
    subscribed: bool,
}

struct State {
    units: BTreeMap<String, Unit>,
    environment: Block,
    activation: Block,
    forwarding: Forwarding,
    system_state: &'static str,
    faults: BTreeMap<String, VecDeque<Option<Fault>>>,
    always: BTreeMap<String, Fault>,
    calls: Vec<String>,
    jobs: u32,
    names: u32,
    peers: Vec<Peer>,
    signals: Vec<Message>,
}

/// The manager, and the bus that it is on.
#[derive(Clone)]
pub(crate) struct FakeManager(Arc<Mutex<State>>);

impl FakeManager {
    /// One without any units, on a bus that forwards at once.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            units: BTreeMap::new(),
            environment: Block::new(),
            activation: Block::new(),
            forwarding: Forwarding::AtOnce,
            system_state: "running",
            faults: BTreeMap::new(),
            always: BTreeMap::new(),
            calls: Vec::new(),
            jobs: 0,
            names: 0,
            peers: Vec::new(),
            signals: Vec::new(),
        })))
    }

    /// A connection to it, with the deadline for calls that connections to the user's bus have.
    pub(crate) async fn connect(&self) -> Manager {
        let (ours, theirs) = UnixStream::pair().unwrap();
        tokio::spawn(self.clone().serve(theirs, false));
        let client = zbus::connection::Builder::unix_stream(ours).method_timeout(deadline::CALL);
        Manager::new(client.build().await.unwrap())
    }

    /// Listens where a user's bus does, for as long as the test runs.
    pub(crate) fn listen(&self, path: &Path) {
        self.listen_at(path, false);
    }

    /// Listens where the manager itself does, in a runtime directory.
    pub(crate) fn listen_itself(&self, runtime: &RuntimeDir) {
        let socket = runtime.manager_socket();
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        self.listen_at(&socket, true);
    }

    fn listen_at(&self, path: &Path, is_own: bool) {
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(fake.clone().serve(stream.into_std().unwrap(), is_own));
            }
        });
    }

    /// Has a unit, in place of one of this name.
    pub(crate) fn unit(&self, name: &str, unit: Unit) {
        self.state().units.insert(name.to_owned(), unit);
    }

    /// Has no unit of this name any more.
    pub(crate) fn forget(&self, name: &str) {
        self.state().units.remove(name);
    }

    /// A unit's `ActiveState`; `None` if it is not loaded.
    pub(crate) fn active(&self, name: &str) -> Option<&'static str> {
        self.state().units.get(name).map(|unit| unit.active)
    }

    /// A unit that is loaded, as it is now.
    pub(crate) fn loaded(&self, name: &str) -> Option<Unit> {
        self.state().units.get(name).cloned()
    }

    /// Gives the manager this environment.
    pub(crate) fn set_environment(&self, pairs: &[(&str, &str)]) {
        self.state().environment = environment(pairs);
    }

    /// The manager's environment.
    pub(crate) fn environment(&self) -> Block {
        self.state().environment.clone()
    }

    /// The environment of what the bus activates.
    pub(crate) fn activation(&self) -> Block {
        self.state().activation.clone()
    }

    /// How the bus forwards from now on.
    pub(crate) fn forward(&self, forwarding: Forwarding) {
        self.state().forwarding = forwarding;
    }

    /// Is on its way out from now on.
    pub(crate) fn is_stopping(&self) {
        self.state().system_state = "stopping";
    }

    /// Never answers this method again.
    pub(crate) fn hang_at(&self, method: &str) {
        self.state().always.insert(method.to_owned(), Fault::Hangs);
    }

    /// Breaks the connection at this method.
    pub(crate) fn break_at(&self, method: &str) {
        self.state().always.insert(method.to_owned(), Fault::Breaks);
    }

    /// Refuses this method with an error of this name.
    pub(crate) fn refuse(&self, method: &str, error: &'static str) {
        self.state().always.insert(method.to_owned(), Fault::Refuses(error));
    }

    /// As [`FakeManager::refuse`], so many times.
    pub(crate) fn refuse_first(&self, method: &str, error: &'static str, times: usize) {
        let faults = std::iter::repeat_n(Some(Fault::Refuses(error)), times).collect();
        self.state().faults.insert(method.to_owned(), faults);
    }

    /// Breaks the connection at this method, so many times.
    pub(crate) fn break_first(&self, method: &str, times: usize) {
        let faults = std::iter::repeat_n(Some(Fault::Breaks), times).collect();
        self.state().faults.insert(method.to_owned(), faults);
    }

    /// Closes all connections.
    pub(crate) fn vanish(&self) {
        for peer in self.state().peers.drain(..) {
            let _ = peer.socket.shutdown(Shutdown::Both);
        }
    }

    /// Everything that was called that changes something, in order: the method, and what it was called with.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Tells that properties of a unit have changed (`PropertiesChanged`).
    pub(crate) async fn tell_changed(&self, unit: &str, interface: &str, changed: &[(&str, Variant<'static>)]) {
        let values: BTreeMap<&str, &Variant<'static>> = changed.iter().map(|(name, value)| (*name, value)).collect();
        let signal = Message::signal(names::object_path(unit).as_str(), PROPERTIES, "PropertiesChanged")
            .build(&(interface, values, Vec::<String>::new()))
            .unwrap();
        self.state().signals.push(signal);
        self.send_signals().await;
    }

    /// Tells of a job of somebody else's that is over before anybody can ask for it (`JobNew`, `JobRemoved`), and of nothing
    /// else that it did.
    pub(crate) async fn tell_brief_job(&self, unit: &str, result: &str) {
        {
            let mut state = self.state();
            state.jobs += 1;
            let number = state.jobs;
            let job = job_object(number);
            let new = Message::signal(MANAGER_OBJECT, MANAGER, "JobNew").build(&(number, &job, unit)).unwrap();
            let removed =
                Message::signal(MANAGER_OBJECT, MANAGER, "JobRemoved").build(&(number, &job, unit, result)).unwrap();
            state.signals.extend([new, removed]);
        }
        self.send_signals().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Serves one connection to its end.
    async fn serve(self, stream: UnixStream, is_own: bool) {
        stream.set_nonblocking(true).unwrap();
        let socket = stream.try_clone().unwrap();
        let server = zbus::connection::Builder::unix_stream(stream).server(GUID).p2p();
        let Ok(connection) = server.build().await else { return };
        // The reader is a task of this thread, and cannot have run yet.
        let mut messages = MessageStream::from(&connection);
        let name = {
            let mut state = self.state();
            state.names += 1;
            let name = format!(":1.{}", state.names);
            let (rules, subscribed) = (Vec::new(), false);
            let connection = connection.clone();
            state.peers.push(Peer { name: name.clone(), connection, socket, is_own, rules, subscribed });
            name
        };
        while let Some(message) = dbus::next(&mut messages).await {
            if message.message_type() != Type::MethodCall {
                continue;
            }
            let answer = self.state().answer(&self, &name, &message);
            match answer {
                Ok(reply) => drop(connection.send(&reply).await),
                Err(Fault::Hangs) => {}
                Err(Fault::Breaks) => self.vanish(),
                Err(Fault::Refuses(error)) => {
                    drop(connection.reply_error(&message.header(), error, &"not here").await);
                }
            }
            self.send_signals().await;
        }
    }

    /// To whom has asked for them, as a bus does.
    async fn send_signals(&self) {
        let mut sent = Vec::new();
        {
            let mut state = self.state();
            for signal in std::mem::take(&mut state.signals) {
                let has_rule = |peer: &Peer| peer.rules.iter().any(|rule| rule.matches(&signal).unwrap_or(false));
                let wants = |peer: &&Peer| peer.is_own || (peer.subscribed && has_rule(peer));
                sent.extend(state.peers.iter().filter(wants).map(|peer| (peer.connection.clone(), signal.clone())));
            }
        }
        for (connection, signal) in sent {
            let _ = connection.send(&signal).await;
        }
    }
}

impl State {
    fn answer(&mut self, fake: &FakeManager, name: &str, message: &Message) -> Result<Message, Fault> {
        let header = message.header();
        let method = header.member().map(|member| member.as_str().to_owned()).unwrap_or_default();
        let path = header.path().map(|path| path.as_str().to_owned()).unwrap_or_default();
        // Of the two faults that a property can have, that of its own name is the one that is meant.
        let called = if method == "Get" { body::<(String, String)>(message).1 } else { method.clone() };
        if let Some(fault) = self.fault(&called) {
            return Err(fault);
        }
        if header.interface().is_some_and(|interface| interface.as_str() == BUS.interface) {
            if self.peer(name).is_own {
                return Err(Fault::Refuses("org.freedesktop.DBus.Error.UnknownObject"));
            }
            return self.answer_of_bus(fake, name, message, &method);
        }
        match method.as_str() {
            "Get" => {
                let (interface, property) = body::<(String, String)>(message);
                let value = self.property(&path, &interface, &property)?;
                reply(&header, &value)
            }
            "Subscribe" => {
                let peer = self.peer(name);
                if std::mem::replace(&mut peer.subscribed, true) {
                    return Err(Fault::Refuses("org.freedesktop.systemd1.AlreadySubscribed"));
                }
                reply(&header, &())
            }
            "StartUnit" | "StopUnit" | "RestartUnit" => {
                let (unit, mode) = body::<(String, String)>(message);
                self.calls.push(format!("{method} {unit} {mode}"));
                let job = self.job(&unit, method == "StopUnit")?;
                reply(&header, &job)
            }
            "StartTransientUnit" => {
                type Auxiliary = Vec<(String, Vec<(String, OwnedVariant)>)>;
                let (unit, mode, properties, _) =
                    body::<(String, String, Vec<(String, OwnedVariant)>, Auxiliary)>(message);
                self.calls.push(format!("{method} {unit} {mode}"));
                if self.units.contains_key(&unit) {
                    return Err(Fault::Refuses("org.freedesktop.systemd1.UnitExists"));
                }
                let properties = properties.into_iter().collect();
                let made = Unit { properties, transient: true, ..Unit::new("inactive") };
                self.units.insert(unit.clone(), made);
                let job = self.job(&unit, false)?;
                reply(&header, &job)
            }
            "ResetFailedUnit" => {
                let (unit,) = body::<(String,)>(message);
                self.calls.push(format!("{method} {unit}"));
                let found = self.find(&unit)?;
                if found.active == "failed" {
                    (found.active, found.sub) = ("inactive", "dead");
                }
                reply(&header, &())
            }
            "KillUnit" => {
                let (unit, whom, signal) = body::<(String, String, i32)>(message);
                self.calls.push(format!("{method} {unit} {whom} {signal}"));
                let found = self.find(&unit)?;
                if std::mem::take(&mut found.processes).is_empty() {
                    return Err(Fault::Refuses("org.freedesktop.systemd1.NoSuchProcess"));
                }
                reply(&header, &())
            }
            "AttachProcessesToUnit" => {
                let (unit, group, pids) = body::<(String, String, Vec<u32>)>(message);
                self.calls.push(format!("{method} {unit} {group} {pids:?}"));
                let found = self.find(&unit)?;
                if found.active != "active" {
                    return Err(Fault::Refuses("org.freedesktop.systemd1.UnitInactive"));
                }
                found.processes.extend(pids);
                reply(&header, &())
            }
            "GetUnitProcesses" => {
                let (unit,) = body::<(String,)>(message);
                let pids = self.find(&unit)?.processes.clone();
                let rows = pids.into_iter().map(|pid| (format!("/{unit}"), pid, String::new()));
                reply(&header, &rows.collect::<Vec<_>>())
            }
            "GetUnitByPID" => {
                let (pid,) = body::<(u32,)>(message);
                let found = self.units.iter().find(|(_, unit)| unit.processes.contains(&pid));
                let (unit, _) = found.ok_or(Fault::Refuses("org.freedesktop.systemd1.NoUnitForPID"))?;
                reply(&header, &object(unit))
            }
            "ListUnitsByNames" => {
                let (units,) = body::<(Vec<String>,)>(message);
                let absent = Unit::new("inactive");
                let rows: Vec<Row> = units
                    .iter()
                    .map(|name| match self.units.get(name) {
                        Some(unit) => row(name, unit, "loaded"),
                        None => row(name, &absent, "not-found"),
                    })
                    .collect();
                reply(&header, &rows)
            }
            "ListUnitsByPatterns" => {
                let (_, patterns) = body::<(Vec<String>, Vec<String>)>(message);
                let chosen = self.units.iter().filter(|(name, _)| patterns.contains(name));
                reply(&header, &chosen.map(|(name, unit)| row(name, unit, "loaded")).collect::<Vec<Row>>())
            }
            "ListUnitsFiltered" => {
                let (states,) = body::<(Vec<String>,)>(message);
                let chosen = self.units.iter().filter(|(_, unit)| states.iter().any(|state| state == unit.active));
                reply(&header, &chosen.map(|(name, unit)| row(name, unit, "loaded")).collect::<Vec<Row>>())
            }
            "UnsetAndSetEnvironment" => {
                let (unset, set) = body::<(Vec<String>, Vec<String>)>(message);
                self.calls.push(format!("{method} -{unset:?} +{set:?}"));
                self.environment.retain(|name, _| !unset.contains(name));
                self.environment.extend(block::parse(&set));
                reply(&header, &())
            }
            "Reload" => {
                self.calls.push(method);
                reply(&header, &())
            }
            "Reexecute" => {
                self.calls.push(method);
                // It goes and comes back, and nobody is left to answer.
                Err(Fault::Hangs)
            }
            _ => Err(Fault::Refuses("org.freedesktop.DBus.Error.UnknownMethod")),
        }
    }

    fn answer_of_bus(
        &mut self,
        fake: &FakeManager,
        name: &str,
        message: &Message,
        method: &str,
    ) -> Result<Message, Fault> {
        let header = message.header();
        match method {
            "Hello" => reply(&header, &name),
            "AddMatch" => {
                let (rule,) = body::<(String,)>(message);
                let rule = MatchRule::try_from(rule.as_str()).unwrap().to_owned().into();
                self.peer(name).rules.push(rule);
                reply(&header, &())
            }
            "RemoveMatch" => reply(&header, &()),
            "UpdateActivationEnvironment" => {
                let (variables,) = body::<(Block,)>(message);
                self.calls.push(format!("{method} {:?}", block::render(&variables)));
                self.activation.extend(variables.clone());
                match self.forwarding {
                    Forwarding::AtOnce => self.environment.extend(variables),
                    Forwarding::Late(pause) => {
                        let fake = fake.clone();
                        tokio::spawn(async move {
                            sleep(pause).await;
                            fake.state().environment.extend(variables);
                        });
                    }
                    Forwarding::Never => {}
                }
                reply(&header, &())
            }
            "GetConnectionUnixProcessID" => reply(&header, &std::process::id()),
            _ => Err(Fault::Refuses("org.freedesktop.DBus.Error.UnknownMethod")),
        }
    }

    fn fault(&mut self, method: &str) -> Option<Fault> {
        let once = self.faults.get_mut(method).and_then(VecDeque::pop_front).flatten();
        once.or_else(|| self.always.get(method).copied())
    }

    fn peer(&mut self, name: &str) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.name == name).expect("a connection that is served")
    }

    fn find(&mut self, unit: &str) -> Result<&mut Unit, Fault> {
        self.units.get_mut(unit).ok_or(Fault::Refuses(NO_SUCH_UNIT))
    }

    /// Queues a job, and ends it right after it was answered.
    fn job(&mut self, unit: &str, stop: bool) -> Result<OwnedObjectPath, Fault> {
        let (outcome, conflicts) = {
            let found = self.find(unit)?;
            (found.job, if stop { Vec::new() } else { found.conflicts.clone() })
        };
        self.jobs += 1;
        let job = job_object(self.jobs);
        let Job::Ends(result) = outcome else { return Ok(job) };
        if result == "done" {
            for other in conflicts {
                self.change(other, "inactive", "dead");
            }
            if stop { self.change(unit, "inactive", "dead") } else { self.change(unit, "active", "running") }
        }
        let removed = Message::signal(MANAGER_OBJECT, MANAGER, "JobRemoved");
        self.signals.push(removed.build(&(self.jobs, &job, unit, result)).unwrap());
        Ok(job)
    }

    fn change(&mut self, unit: &str, active: &'static str, sub: &'static str) {
        let Some(found) = self.units.get_mut(unit) else { return };
        (found.active, found.sub) = (active, sub);
        if found.transient && active == "inactive" {
            self.units.remove(unit);
        }
        let changed = BTreeMap::from([("ActiveState", Variant::from(active)), ("SubState", Variant::from(sub))]);
        let signal = Message::signal(names::object_path(unit).as_str(), PROPERTIES, "PropertiesChanged")
            .build(&(UNIT, changed, Vec::<String>::new()))
            .unwrap();
        self.signals.push(signal);
    }

    fn property(&self, path: &str, interface: &str, name: &str) -> Result<OwnedVariant, Fault> {
        let unknown = Fault::Refuses("org.freedesktop.DBus.Error.UnknownProperty");
        if interface == MANAGER {
            return match name {
                "Environment" => Ok(variant(block::render(&self.environment))),
                "Version" => Ok(variant("257.9".to_owned())),
                "SystemState" => Ok(variant(self.system_state.to_owned())),
                _ => Err(unknown),
            };
        }
        let unit = names::unit_of_path(path).ok_or(Fault::Refuses("org.freedesktop.DBus.Error.UnknownObject"))?;
        if interface == SERVICE && !unit.ends_with(".service") {
            return Err(Fault::Refuses("org.freedesktop.DBus.Error.UnknownInterface"));
        }
        // One that is not loaded is loaded for it, and has done nothing.
        let absent = Unit::new("inactive");
        self.units.get(&unit).unwrap_or(&absent).property(interface, name).ok_or(unknown)
    }
}

type Row = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

fn row(name: &str, unit: &Unit, load: &str) -> Row {
    let none = OwnedObjectPath::try_from("/").unwrap();
    let (name, load, active, sub) = (name.to_owned(), load.to_owned(), unit.active.to_owned(), unit.sub.to_owned());
    let object = object(&name);
    (name, String::new(), load, active, sub, String::new(), object, 0, String::new(), none)
}

fn job_object(number: u32) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("{MANAGER_OBJECT}/job/{number}")).unwrap()
}

fn object(unit: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(names::object_path(unit)).unwrap()
}

fn variant(value: impl Into<Variant<'static>>) -> OwnedVariant {
    OwnedVariant::try_from(value.into()).unwrap()
}

/// A block of these variables.
pub(crate) fn environment(pairs: &[(&str, &str)]) -> Block {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn body<T>(message: &Message) -> T
where
    T: for<'d> zbus::wire::DynamicDeserialize<'d>,
{
    message.body().deserialize().unwrap_or_else(|error| panic!("{message:?}: {error}"))
}

fn reply<B: Serialize + DynamicType>(header: &Header<'_>, body: &B) -> Result<Message, Fault> {
    Ok(Message::method_return(header).build(body).unwrap())
}
