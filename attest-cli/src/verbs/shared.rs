//! `attest shared`: documents that guards of one shared log have from its database.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use attest_core::jws::Verified;
use attest_core::shared_document::{SharedDocument, is_document_name};
use attest_core::sign::Sign as _;
use attest_keys::KeySource;
use attest_log::clock::now;
use attest_log::{MAX_SIDE_FILE, Place, SideError, SideFiles};
use server_verifier::Sharing;
use server_verifier::shared::FOLDER;

use super::approvals::words::plain;
use crate::{Ending, output};

/// Documents that guards of one shared log have from its database: status lists, reference values, policies, whatever guard.toml names as
/// "shared:NAME".
///
/// Each is signed by the key that guard.toml pins as `shared.jwk`, so that the database need not be trusted with it. What is put there is in
/// force at every guard about a second later; what a guard does not take it says, and goes on with what it has.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A guard's configuration, which says where the log is and whose word counts
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG", global = true)]
    config: PathBuf,
    /// The address of the log's database, in place of what the configuration says
    #[arg(long, value_name = "LOG", global = true)]
    log: Option<PathBuf>,
    #[command(subcommand)]
    action: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Signs a file and puts it there, in place of the document of this name
    Put(Put),
    /// Writes a document to standard output, if its signature holds
    Get(One),
    /// Lists the documents that are there
    List(List),
    /// Takes a document away; guards keep the copy that they have
    Remove(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The document's name
    name: String,
}

#[derive(Debug, clap::Args)]
struct Put {
    #[command(flatten)]
    one: One,
    /// The file
    file: PathBuf,
    /// The key that guard.toml pins as `shared.jwk`: a file or ssh-agent:…
    #[arg(long, value_name = "KEY")]
    key: String,
}

#[derive(Debug, clap::Args)]
struct List {
    /// For machines: a line of JSON for each
    #[arg(long)]
    json: bool,
}

type Failure = Box<dyn std::error::Error>;

/// What is done with documents here: by whose word, and where.
struct Desk {
    sharing: Sharing,
    files: SideFiles,
}

pub(crate) fn run(args: Args) -> Ending {
    let desk = Desk::open(&args.config, args.log.as_deref())?;
    match args.action {
        What::Put(Put { one: One { name }, file, key }) => desk.put(&name, &file, &key)?,
        What::Get(One { name }) => output::stream().write_all(&desk.get(&name)?)?,
        What::List(List { json }) => desk.list(json)?,
        What::Remove(One { name }) => desk.remove(&name)?,
    }
    Ok(0)
}

impl Desk {
    fn open(config: &Path, log: Option<&Path>) -> Result<Self, Failure> {
        let none = || format!("{} has no section [shared], which pins the key that signs documents", config.display());
        let sharing = Sharing::read(config)?.ok_or_else(none)?;
        let place = log.map_or_else(|| sharing.log.clone(), Place::from);
        let files = SideFiles::of(&place).ok_or("--log is no address of a database: postgresql://…")?;
        Ok(Self { sharing, files })
    }

    fn opened<'t>(
        &self,
        name: &str,
        stored: &'t [u8],
    ) -> Result<(Verified<SharedDocument>, &'t [u8]), attest_core::shared_document::SharedDocumentError> {
        SharedDocument::open(stored, &self.sharing.audience, name, &self.sharing.key)
    }

    fn put(&self, name: &str, file: &Path, key: &str) -> Result<(), Failure> {
        if !is_document_name(name) {
            return Err(
                format!("{name:?} is no name of a document: letters, digits, dots, dashes and underscores").into()
            );
        }
        let bytes = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let key = KeySource::parse(key)?.load()?;
        if key.public().thumbprint() != self.sharing.key.thumbprint() {
            let (is, pinned) = (key.public().thumbprint(), self.sharing.key.thumbprint());
            return Err(format!("no guard would take it: this is the key {is}, and [shared] pins {pinned}").into());
        }
        let version = self.files.change(|side| -> Result<u64, Failure> {
            let before = side.read(FOLDER, name, MAX_SIDE_FILE)?;
            let before = before.as_deref().and_then(|stored| self.opened(name, stored).ok());
            let next = before.map_or(0, |(said, _)| said.version.saturating_add(1));
            let document = SharedDocument::of(&self.sharing.audience, name, next.max(now()), &bytes);
            let stored = [document.sign(&key)?.as_bytes(), b"\n", &bytes].concat();
            side.write(FOLDER, name, &stored)?;
            Ok(document.version)
        })?;
        output::remark(format_args!("{name}, {} bytes, is there as version {version}", bytes.len()));
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let stored = self.files.look(|side| side.read(FOLDER, name, MAX_SIDE_FILE))?;
        let stored = stored.ok_or_else(|| format!("there is no document {name:?}; `attest shared list` shows them"))?;
        let (_, bytes) = self.opened(name, &stored).map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes.to_vec())
    }

    fn list(&self, json: bool) -> Result<(), Failure> {
        let found = self.files.look(|side| {
            let mut found = Vec::new();
            for name in side.names(FOLDER)? {
                found.extend(side.read(FOLDER, &name, MAX_SIDE_FILE)?.map(|stored| (name, stored)));
            }
            Ok::<_, SideError>(found)
        })?;
        for (name, stored) in &found {
            let opened = self.opened(name, stored);
            if json {
                let (version, size) = opened.as_ref().map(|(said, bytes)| (said.version, bytes.len())).ok().unzip();
                let wrong = opened.as_ref().err().map(|error| error.code());
                output::json(&serde_json::json!({"name": name, "version": version, "size": size, "wrong": wrong}))?;
                continue;
            }
            // A name that nobody signed for is anybody's.
            let name = plain(name);
            match opened {
                Ok((said, bytes)) => {
                    output::line(format_args!("{name}\tversion {}\t{} bytes", said.version, bytes.len()))
                }
                Err(error) => output::line(format_args!("{name}\tnot taken: {error}")),
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Failure> {
        if !self.files.change(|side| side.remove(FOLDER, name))? {
            return Err(format!("there is no document {name:?}; `attest shared list` shows them").into());
        }
        output::remark(format_args!("{name} is not there any more; guards keep the copy that they have"));
        Ok(())
    }
}
