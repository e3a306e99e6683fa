//! The task that moves everything.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use attest_core::json;
use bytes::Bytes;
use memchr::memchr2;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::ending::Farewell;
use super::in_order::InOrder;
use super::inlet::Inlet;
use super::lines::Frame;
use super::outlet::Outlet;
use super::server::Server;
use super::waiting::Waiting;
use super::{Options, RelayError};
use crate::{Defect, Exit, Handling, Interceptor, Refusal, ToClient, ToServer};

/// Lines taken from one side before what they led to is written. More would save system calls, and make the first of a
/// burst wait for the handling of the last.
const BURST: usize = 16;

/// Whether the client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It may send more.
    Here,
    /// It closed its writing end, and may still read.
    Quiet,
    /// It reads no more.
    Vanished,
}

/// All of a relay's state.
pub(super) struct Engine<I> {
    pub(super) interceptor: I,
    pub(super) options: Options,
    /// `None` once nothing more is to be read from it.
    pub(super) from_client: Option<Inlet>,
    /// `None` once nothing more is to be read from it.
    pub(super) from_server: Option<Inlet>,
    pub(super) to_client: Outlet,
    pub(super) to_server: Outlet,
    /// The client's lines whose results are not applied.
    pub(super) calls: InOrder<ToServer>,
    /// The client's lines that somebody outside decides about.
    pub(super) waiting: Waiting,
    /// The server's lines whose results are not applied.
    pub(super) answers: InOrder<ToClient>,
    pub(super) client: Presence,
    pub(super) running: JoinHandle<io::Result<Exit>>,
    /// While held, the server may run.
    pub(super) lease: Option<oneshot::Sender<()>>,
    /// Resolves when the server is to be ended as if the client had left.
    pub(super) dismissal: Option<oneshot::Receiver<()>>,
    /// Set once the server has ended.
    pub(super) exit: Option<Exit>,
    /// What to end with instead of the server's exit.
    pub(super) error: Option<RelayError>,
    /// The interceptor hears that the client is gone; `Some` from the start of that.
    pub(super) client_gone: Option<Farewell<()>>,
    /// The interceptor hears that the server is gone; `Some` from the start of that.
    pub(super) server_gone: Option<Farewell<Vec<Bytes>>>,
    /// Once the server has ended: when to stop waiting for the interceptor.
    pub(super) patience: Option<Pin<Box<Sleep>>>,
}

impl<I: Interceptor> Engine<I> {
    pub fn new(from_client: Inlet, to_client: Outlet, server: Server, interceptor: I, options: Options) -> Self {
        Self {
            interceptor,
            options,
            from_client: Some(from_client),
            from_server: Some(Inlet::new(server.stdout, options.server_line_limit)),
            to_client,
            to_server: server.stdin,
            calls: InOrder::new(options.in_flight.get(), options.in_flight_bytes),
            waiting: Waiting::default(),
            answers: InOrder::new(options.in_flight.get(), options.in_flight_bytes),
            client: Presence::Here,
            running: server.exit,
            lease: Some(server.lease),
            dismissal: server.dismissal,
            exit: None,
            error: None,
            client_gone: None,
            server_gone: None,
            patience: None,
        }
    }

    /// Does all that can be done now; ready when the relay has ended.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Exit, RelayError>> {
        loop {
            let mut moved = self.watch_server(cx)?;
            moved |= self.watch_dismissal(cx);
            moved |= self.take_calls();
            moved |= self.take_answers();
            moved |= self.hear_waiting(cx);
            self.calls.poll_futures(cx);
            self.answers.poll_futures(cx);
            moved |= self.apply_calls();
            moved |= self.apply_answers();
            moved |= self.drain(cx);
            moved |= self.fill_from_client(cx);
            moved |= self.fill_from_server(cx);
            moved |= self.say_farewell(cx);
            if self.is_over(cx, moved) {
                let exit = self.exit.unwrap_or(Exit::Code(u8::MAX));
                return Poll::Ready(self.error.take().map_or(Ok(exit), Err));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    fn take_calls(&mut self) -> bool {
        for taken in 0..BURST {
            let open = self.calls.has_room() && self.to_server.has_room();
            let frame = self.from_client.as_mut().filter(|_| open).and_then(Inlet::next);
            let Some(frame) = frame else { return taken > 0 };
            self.on_client(frame);
        }
        true
    }

    fn take_answers(&mut self) -> bool {
        for taken in 0..BURST {
            let open = self.answers.has_room() && self.to_client.has_room();
            let frame = self.from_server.as_mut().filter(|_| open).and_then(Inlet::next);
            let Some(frame) = frame else { return taken > 0 };
            self.on_server(frame);
        }
        true
    }

    pub(super) fn on_client(&mut self, frame: Frame) {
        let Frame::Line(line) = frame else {
            let limit = self.options.client_line_limit;
            self.calls.push(Bytes::new(), self.refuse(Defect::TooLong { limit }));
            return;
        };
        let content = line.content();
        let handling = if line.has_bare_cr() {
            self.refuse(Defect::BareCr)
        } else if line.is_blank() {
            Handling::Now(ToServer::Pass)
        } else {
            match json::parse(&content) {
                Ok(value @ json::Value::Object(_)) => self.interceptor.client_message(content.clone(), &value),
                Ok(_) => self.refuse(Defect::NotAnObject),
                Err(error) => self.refuse(Defect::Json(error)),
            }
        };
        self.calls.push(line.raw, handling);
    }

    fn refuse(&self, defect: Defect) -> Handling<ToServer> {
        fn result(refusal: Refusal) -> ToServer {
            match refusal {
                Refusal::Reply(line) => ToServer::Reply(line),
                Refusal::Drop => ToServer::Drop,
            }
        }
        match self.interceptor.client_defect(defect, None) {
            Handling::Now(refusal) => Handling::Now(result(refusal)),
            Handling::Later(refusal) => Handling::later(async { result(refusal.await) }),
        }
    }

    pub(super) fn on_server(&mut self, frame: Frame) {
        let Frame::Line(line) = frame else {
            return self.fail(RelayError::ServerLineTooLong { limit: self.options.server_line_limit });
        };
        let handling = if line.is_blank() {
            Handling::Now(ToClient::Pass)
        } else {
            let content = line.content();
            let value = if line.has_bare_cr() { None } else { json::parse(&content).ok() };
            self.interceptor.server_message(content.clone(), value.as_ref())
        };
        self.answers.push(line.raw, handling);
    }

    fn apply_calls(&mut self) -> bool {
        let mut moved = false;
        loop {
            let room = self.calls.front().is_some_and(|result| self.has_room_for(result));
            let Some((raw, result)) = Some(()).filter(|()| room).and_then(|()| self.calls.pop()) else {
                return moved;
            };
            self.apply(raw, result);
            moved = true;
        }
    }

    pub(super) fn has_room_for(&self, result: &ToServer) -> bool {
        match result {
            ToServer::Drop => true,
            // A reply that has no room yet holds up the lines behind it: the order of lines is the promise.
            ToServer::Reply(_) => self.to_client.has_room(),
            ToServer::Pass | ToServer::Forward(_) => self.to_server.has_room(),
            ToServer::Waits(_) => self.waiting.len() < self.options.in_flight.get(),
        }
    }

    pub(super) fn apply(&mut self, raw: Bytes, result: ToServer) {
        match result {
            ToServer::Pass => self.to_server.push_raw(raw),
            ToServer::Forward(line) if is_one_line(&line) => self.to_server.push_line(line),
            ToServer::Reply(line) if is_one_line(&line) => self.to_client.push_line(line),
            ToServer::Forward(_) | ToServer::Reply(_) => self.fail(RelayError::NotOneLine),
            ToServer::Drop => {}
            ToServer::Waits(wait) => self.waiting.push(raw, wait),
        }
    }

    fn apply_answers(&mut self) -> bool {
        let mut moved = false;
        while self.to_client.has_room() {
            let Some((raw, result)) = self.answers.pop() else { break };
            match result {
                ToClient::Pass => self.to_client.push_raw(raw),
                ToClient::Replace(line) if is_one_line(&line) => self.to_client.push_line(line),
                // Not held up by a full pipe: it takes the place of a line that the server has read already.
                ToClient::Resend(line) if is_one_line(&line) => self.to_server.push_line(line),
                ToClient::Replace(_) | ToClient::Resend(_) => self.fail(RelayError::NotOneLine),
                ToClient::Drop => {}
            }
            moved = true;
        }
        moved
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        let waiting = self.to_server.waiting() + self.to_client.waiting();
        // A server that reads no more is about to end, or answers what it has read. Either way the rest is moot.
        let _ = self.to_server.poll_drain(cx);
        if let Poll::Ready(Err(_)) = self.to_client.poll_drain(cx) {
            self.client = Presence::Vanished;
            self.stop_server();
        }
        waiting > self.to_server.waiting() + self.to_client.waiting()
    }

    fn fill_from_client(&mut self, cx: &mut Context<'_>) -> bool {
        let open = self.calls.has_room() && self.to_server.has_room();
        let Some(inlet) = self.from_client.as_mut().filter(|inlet| open && inlet.lines.is_exhausted()) else {
            return false;
        };
        let Poll::Ready(more) = inlet.poll_fill(cx) else {
            return false;
        };
        if !more {
            // Servers differ in whether they read a last line without LF. With an LF they all do.
            let last = inlet.lines.finish(true);
            self.from_client = None;
            self.client = Presence::Quiet;
            last.into_iter().for_each(|frame| self.on_client(frame));
        }
        true
    }

    fn fill_from_server(&mut self, cx: &mut Context<'_>) -> bool {
        let open = self.answers.has_room() && self.to_client.has_room();
        let Some(inlet) = self.from_server.as_mut().filter(|inlet| open && inlet.lines.is_exhausted()) else {
            return false;
        };
        let Poll::Ready(more) = inlet.poll_fill(cx) else {
            return false;
        };
        if !more {
            let last = inlet.lines.finish(false);
            self.from_server = None;
            last.into_iter().for_each(|frame| self.on_server(frame));
            if self.client == Presence::Here {
                self.stop_server();
            }
        }
        true
    }
}

/// Whether an interceptor's bytes are one line to every reader. Anything else could carry a second message.
pub(super) fn is_one_line(line: &[u8]) -> bool {
    memchr2(b'\n', b'\r', line).is_none()
}
