//! A Unix socket for some users of this machine.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::net::UnixListener;

/// Who may come in: this process's own user, and others that somebody named.
#[derive(Clone, Debug)]
pub struct Users {
    own: u32,
    others: Vec<u32>,
}

impl Users {
    /// The own user, and these.
    pub fn own_and(others: Vec<u32>) -> Self {
        Self { own: rustix::process::geteuid().as_raw(), others }
    }

    /// Whether this is the user of this process.
    pub fn is_own(&self, uid: u32) -> bool {
        uid == self.own
    }

    /// Whether this user may come in: to be asked of each connection's peer.
    pub fn admit(&self, uid: u32) -> bool {
        self.is_own(uid) || self.others.contains(&uid)
    }
}

/// Listens at `socket`, in the place of one that nobody listens at any more. To be called inside of a Tokio runtime.
///
/// # Errors
/// Somebody listens there, or there is a file that is no socket; or the system's.
pub fn listen(socket: &Path, users: &Users) -> io::Result<UnixListener> {
    match socket.symlink_metadata() {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::other("there is a file there that is no socket; move it, or name another socket"));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(socket).is_ok() => {
            let what = "another process listens there already; end it, or name another socket";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
        }
        // Left by a process that was killed.
        Ok(_) => std::fs::remove_file(socket)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(socket)?;
    // With other users allowed, everybody may knock, and the peer's credentials decide.
    let mode = if users.others.is_empty() { 0o600 } else { 0o666 };
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_taken_over_from_the_dead_and_from_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, users) = (folder.path().join("socket"), Users::own_and(Vec::new()));
        let first = listen(&socket, &users).unwrap();
        assert_eq!(listen(&socket, &users).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok(), "it is still there");
        drop(first);
        assert!(socket.exists(), "as one that was killed leaves it");
        drop(listen(&socket, &users).unwrap());
        std::fs::remove_file(&socket).unwrap();
        std::fs::write(&socket, "notes").unwrap();
        assert!(listen(&socket, &users).is_err());
        assert_eq!(std::fs::read(&socket).unwrap(), b"notes");
    }
}
