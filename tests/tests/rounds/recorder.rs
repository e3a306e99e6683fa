//! Sits on the wire between two programs and writes down what goes over it, without understanding any of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use attest_tests::client::eventually;

/// Bytes that are passed on at a time.
const PIECE: usize = 16 * 1024;

#[derive(Default)]
struct Tape {
    /// What went towards the server.
    asked: Vec<u8>,
    /// What came back.
    answered: Vec<u8>,
    /// Connections that are open.
    open: usize,
}

/// A recorder in front of an address that may change.
pub struct Recorder {
    address: SocketAddr,
    behind: Arc<Mutex<String>>,
    tape: Arc<Mutex<Tape>>,
}

impl Recorder {
    /// In front of `address`.
    pub fn new(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            behind: Arc::new(Mutex::new(address.to_owned())),
            tape: Arc::default(),
        };
        let (behind, tape) = (this.behind.clone(), this.tape.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let address = behind.lock().unwrap().clone();
                match TcpStream::connect(address) {
                    Ok(server) => join(client, server, &tape),
                    Err(_) => drop(client),
                }
            }
        });
        this
    }

    /// Where it listens, as the URL of an MCP endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// From now on new connections lead to `address`; waits until the old ones are gone.
    pub fn lead_to(&self, address: &str) {
        *self.behind.lock().unwrap() = address.to_owned();
        eventually("the end of the old connections", || (self.tape.lock().unwrap().open == 0).then_some(()));
    }

    /// What has gone towards the server since this was last asked.
    pub fn asked(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.tape.lock().unwrap().asked)).into_owned()
    }

    /// What has come back since this was last asked.
    pub fn answered(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.tape.lock().unwrap().answered)).into_owned()
    }
}

/// Passes bytes both ways; when one side ends, so does the other.
fn join(client: TcpStream, server: TcpStream, tape: &Arc<Mutex<Tape>>) {
    tape.lock().unwrap().open += 1;
    let ways = [
        (client.try_clone().unwrap(), server.try_clone().unwrap(), true),
        (server.try_clone().unwrap(), client.try_clone().unwrap(), false),
    ];
    let threads = ways.map(|(mut from, mut to, asks)| {
        let tape = tape.clone();
        thread::spawn(move || {
            let mut piece = vec![0; PIECE];
            while let Ok(n @ 1..) = from.read(&mut piece) {
                // Noted first: whoever has seen the answer finds the question on the tape.
                {
                    let mut tape = tape.lock().unwrap();
                    if asks { &mut tape.asked } else { &mut tape.answered }.extend_from_slice(&piece[..n]);
                }
                if to.write_all(&piece[..n]).is_err() {
                    break;
                }
            }
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        })
    });
    let tape = tape.clone();
    thread::spawn(move || {
        for thread in threads {
            let _ = thread.join();
        }
        tape.lock().unwrap().open -= 1;
    });
}
