//! What a transaction writes: a column for each of a table's, so that a table takes one statement however many rows.

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

use crate::record::{Hash, Record, ReplayKey, Token};
use crate::tree::Tile;

/// The statements, made ready once for each connection.
pub(super) struct Statements {
    pub(super) head: Statement,
    pub(super) leaves: Statement,
    pub(super) used: Statement,
    pub(super) open: Statement,
    pub(super) key: Statement,
    entry: Statement,
    token: Statement,
    replay: Statement,
    close: Statement,
    opens: Statement,
    next_key: Statement,
    tile: Statement,
    state: Statement,
    prune: Statement,
    cosigned: Statement,
    instance: Statement,
}

/// Most entries that a verifier which others overtook learns one by one; beyond that it goes by the tree's tiles.
pub(super) const LEAVES: usize = 2_048;
/// Longest entry that is read and hashed here, which is faster; of a longer one the server sends the leaf's hash, so that catching up
/// never takes long, whatever the way to it.
const SHORT: usize = 2_048;

/// The columns are unfolded side by side: a function under `FROM` has all its rows put aside before the first is used.
impl Statements {
    pub(super) async fn of(client: &Client) -> Result<Self, Error> {
        let leaves = format!(
            "SELECT CASE WHEN length(body) <= {SHORT} THEN body END,
                 CASE WHEN length(body) > {SHORT} THEN sha256('\\x00'::bytea || body) END
             FROM entry WHERE idx >= $1 ORDER BY idx LIMIT {}",
            LEAVES + 1
        );
        Ok(Self {
            head: client.prepare("SELECT size, horizon, checkpoint FROM state WHERE id = 0 FOR UPDATE").await?,
            leaves: client.prepare(&leaves).await?,
            used: client.prepare("SELECT idx, scope, jti, expires FROM replay WHERE idx >= $1 ORDER BY idx").await?,
            open: client.prepare("SELECT hash FROM open_call WHERE hash = ANY($1)").await?,
            key: client.prepare("SELECT vkey FROM log_key ORDER BY since DESC LIMIT 1").await?,
            entry: client
                .prepare(
                    "INSERT INTO entry (idx, body, token)
                     SELECT unnest($1::int8[]), unnest($2::bytea[]), unnest($3::bytea[])",
                )
                .await?,
            token: client
                .prepare(
                    "INSERT INTO token (hash, text) SELECT unnest($1::bytea[]), unnest($2::bytea[])
                     ON CONFLICT (hash) DO NOTHING",
                )
                .await?,
            replay: client
                .prepare(
                    "INSERT INTO replay (idx, scope, jti, expires, hash, hash_rest)
                     SELECT unnest($1::int8[]), unnest($2::bytea[]), unnest($3::bytea[]), unnest($4::int8[]),
                         unnest($5::uuid[]), unnest($6::uuid[])",
                )
                .await?,
            close: client.prepare("DELETE FROM open_call WHERE hash = ANY($1)").await?,
            opens: client
                .prepare(
                    "INSERT INTO open_call (hash, idx, instance)
                     SELECT unnest($1::bytea[]), unnest($2::int8[]), $3",
                )
                .await?,
            next_key: client.prepare("INSERT INTO log_key (since, vkey) VALUES ($1, $2)").await?,
            tile: client
                .prepare(
                    "INSERT INTO tile (level, idx, hashes) SELECT unnest($1::int2[]), unnest($2::int8[]), unnest($3::bytea[])
                     ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
                )
                .await?,
            state: client
                .prepare("UPDATE state SET size = $1, checkpoint = $2, horizon = greatest(horizon, $3) WHERE id = 0")
                .await?,
            prune: client.prepare("DELETE FROM replay WHERE idx = ANY($1) AND expires <= $2").await?,
            cosigned: client
                .prepare(
                    "INSERT INTO cosigned (size, note) SELECT unnest($1::int8[]), unnest($2::text[])
                     ON CONFLICT (size) DO UPDATE SET note = excluded.note",
                )
                .await?,
            instance: client.prepare("UPDATE instance SET batch = $2, touched = now() WHERE id = $1").await?,
        })
    }
}

/// The batch under way.
#[derive(Default)]
pub(super) struct Batch {
    indexes: Vec<i64>,
    bodies: Vec<Vec<u8>>,
    own: Vec<Option<Token>>,
    tokens: Vec<Token>,
    replay: Vec<(i64, ReplayKey)>,
    closes: Vec<Hash>,
    opens: Vec<(Hash, i64)>,
    next_key: Option<(i64, String)>,
    tiles: Vec<Tile>,
    head: Option<(i64, String)>,
    ended: Vec<i64>,
    horizon: i64,
    /// By size: one statement may not write a row twice.
    cosigned: BTreeMap<i64, String>,
}

impl Batch {
    /// Adds a record; tokens in `known` are stored already.
    pub(super) fn add(&mut self, index: u64, record: &Record, known: &HashSet<Hash>) {
        let index = index.cast_signed();
        self.indexes.push(index);
        self.bodies.push(record.body.clone());
        self.own.push(record.token.clone());
        self.tokens.extend(record.tokens.iter().filter(|token| !known.contains(token.hash())).cloned());
        self.replay.extend(record.replay.clone().map(|key| (index, key)));
        if let Some(hash) = record.closes {
            // What this very batch opened was never in the table.
            let before = self.opens.len();
            self.opens.retain(|(open, _)| *open != hash);
            if before == self.opens.len() {
                self.closes.push(hash);
            }
        }
        self.opens.extend(record.opens.map(|hash| (hash, index)));
        if let Some(key) = &record.next_key {
            self.next_key = Some((index.saturating_add(1), key.to_string()));
        }
    }

    pub(super) fn tree(&mut self, size: u64, tiles: &[Tile], checkpoint: &str) {
        self.tiles.extend_from_slice(tiles);
        self.head = Some((size.cast_signed(), checkpoint.to_owned()));
    }

    pub(super) fn prune(&mut self, ended: &[u64], horizon: u64) {
        self.ended.extend(ended.iter().map(|index| index.cast_signed()));
        self.horizon = horizon.cast_signed();
    }

    pub(super) fn cosigned(&mut self, size: u64, note: &str) {
        self.cosigned.insert(size.cast_signed(), note.to_owned());
    }

    /// The calls that it leaves open.
    pub(super) fn opened(&self) -> Vec<Hash> {
        self.opens.iter().map(|(hash, _)| *hash).collect()
    }

    /// The checkpoint that it ends with.
    pub(super) fn checkpoint(&self) -> Option<&str> {
        self.head.as_ref().map(|(_, note)| note.as_str())
    }

    pub(super) fn stored(&self) -> impl Iterator<Item = &Hash> {
        self.tokens.iter().map(Token::hash)
    }

    /// Writes it all and commits, in one go: where a statement fails, the server undoes the rest instead. Answers whether the tables took exactly
    /// what they should have: else they contradict what they said at the batch's beginning, and nobody is to be told that anything is there.
    pub(super) async fn write(
        &self,
        client: &Client,
        statements: &Statements,
        instance: i32,
        number: i64,
    ) -> Result<bool, Error> {
        let bodies: Vec<&[u8]> = self.bodies.iter().map(Vec::as_slice).collect();
        let own: Vec<Option<&[u8]>> =
            self.own.iter().map(|token| token.as_ref().map(|token| token.text().as_bytes())).collect();
        let hashes: Vec<&[u8]> = self.tokens.iter().map(|token| token.hash().as_slice()).collect();
        let texts: Vec<&[u8]> = self.tokens.iter().map(|token| token.text().as_bytes()).collect();
        let entries: Vec<i64> = self.replay.iter().map(|(index, _)| *index).collect();
        let (scopes, jtis): (Vec<&[u8]>, Vec<&[u8]>) = self.replay.iter().map(|(_, key)| key.id().parts()).unzip();
        let expires: Vec<i64> = self.replay.iter().map(|(_, key)| key.expires().cast_signed()).collect();
        let (firsts, rests): (Vec<Uuid>, Vec<Uuid>) = self.replay.iter().map(|(_, key)| halves(key)).unzip();
        let closes: Vec<&[u8]> = self.closes.iter().map(<[u8; 32]>::as_slice).collect();
        let (opens, opened): (Vec<&[u8]>, Vec<i64>) =
            self.opens.iter().map(|(hash, index)| (hash.as_slice(), *index)).unzip();
        let levels: Vec<i16> = self.tiles.iter().map(|tile| i16::from(tile.level)).collect();
        let places: Vec<i64> = self.tiles.iter().map(|tile| tile.index.cast_signed()).collect();
        let tiles: Vec<&[u8]> = self.tiles.iter().map(|tile| tile.hashes.as_slice()).collect();
        let (since, key) = self.next_key.as_ref().map_or((0, ""), |(since, key)| (*since, key.as_str()));
        let (size, checkpoint) = self.head.as_ref().map_or((0, ""), |(size, note)| (*size, note.as_str()));
        let (sizes, notes): (Vec<i64>, Vec<&str>) =
            self.cosigned.iter().map(|(size, note)| (*size, note.as_str())).unzip();
        // Sent in this order, before the first answer is there.
        let (entries, _, replay, close, opens, _, _, state, _, _, me, ()) = tokio::try_join!(
            biased;
            async { when(!self.indexes.is_empty(), client, &statements.entry, &[&self.indexes, &bodies, &own]).await },
            async { when(!hashes.is_empty(), client, &statements.token, &[&hashes, &texts]).await },
            async {
                let replay: [&(dyn ToSql + Sync); 6] = [&entries, &scopes, &jtis, &expires, &firsts, &rests];
                when(!entries.is_empty(), client, &statements.replay, &replay).await
            },
            async { when(!closes.is_empty(), client, &statements.close, &[&closes]).await },
            async { when(!opens.is_empty(), client, &statements.opens, &[&opens, &opened, &instance]).await },
            async { when(self.next_key.is_some(), client, &statements.next_key, &[&since, &key]).await },
            async { when(!levels.is_empty(), client, &statements.tile, &[&levels, &places, &tiles]).await },
            async { when(self.head.is_some(), client, &statements.state, &[&size, &checkpoint, &self.horizon]).await },
            async { when(!self.ended.is_empty(), client, &statements.prune, &[&self.ended, &self.horizon]).await },
            async { when(!sizes.is_empty(), client, &statements.cosigned, &[&sizes, &notes]).await },
            async { client.execute(&statements.instance, &[&instance, &number]).await },
            client.batch_execute("COMMIT"),
        )?;
        Ok(entries == self.indexes.len() as u64
            && replay == self.replay.len() as u64
            && close == self.closes.len() as u64
            && opens == self.opens.len() as u64
            && state == u64::from(self.head.is_some())
            && me == 1)
    }
}

/// SHA-256 over a replay key's id, as the two columns hold it that make it unique. They are of a type that PostgreSQL compares
/// without looking for a length: looking up random keys is most of what an append costs it.
fn halves(key: &ReplayKey) -> (Uuid, Uuid) {
    let [first, rest] = key.id().hash();
    (Uuid::from_bytes(first), Uuid::from_bytes(rest))
}

async fn when(
    there: bool,
    client: &Client,
    statement: &Statement,
    given: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    if there { client.execute(statement, given).await } else { Ok(0) }
}
