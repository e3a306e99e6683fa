//! The agent's state: measured, and noticed when it changes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use attest_core::digest::Digest;
use attest_core::limits::MAX_DISCLOSED;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_measure::{Cache, FileSet, Lists, Manifest, MeasureError, Progress, Stamp};

use crate::config::{Config, Measure};
use crate::{folders, view};

/// What was measured, and the state of the files it was measured from.
#[derive(Clone)]
pub struct State {
    /// One per component, in ascending order.
    pub measurements: Vec<Measurement>,
    watched: Vec<(FileSet, Stamp)>,
    /// Files whose digests are known one by one.
    listed: Vec<(FileSet, Arc<Manifest>)>,
    disclosed: Vec<(Component, Arc<str>)>,
    /// The system prompt on disk, where there is a trail to keep it beside.
    prompt: Option<Arc<str>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A prompt may be confidential.
        f.debug_struct("State").field("measurements", &self.measurements).finish_non_exhaustive()
    }
}

impl State {
    /// Measures everything that `config` names. Takes as long as reading the files does.
    pub fn measure(config: &Config, report: &(dyn Fn(Component, Progress) + Sync)) -> Result<Self, MeasureError> {
        Ok(Self::measure_with_lists(config, report)?.0)
    }

    /// The same in silence; with `remember` false every file is read.
    pub(crate) fn measure_anew(config: &Config, remember: bool) -> Result<Self, MeasureError> {
        let cache = cache(config).filter(|_| remember);
        Ok(Self::read(config, cache, &|_, _| ())?.0)
    }

    /// As [`measure`](Self::measure), with the lists of files and tensors that some of the digests are over. A signer keeps none of them but
    /// those that it discloses.
    pub fn measure_with_lists(
        config: &Config,
        report: &(dyn Fn(Component, Progress) + Sync),
    ) -> Result<(Self, Lists), MeasureError> {
        Self::read(config, cache(config), report)
    }

    fn read(
        config: &Config,
        cache: Option<Arc<Cache>>,
        report: &(dyn Fn(Component, Progress) + Sync),
    ) -> Result<(Self, Lists), MeasureError> {
        let Measure { weights, tensors, model, system_prompt, config: settings, config_env, harness, signer, .. } =
            &config.measure;
        let mut state = Self {
            measurements: Vec::new(),
            watched: Vec::new(),
            listed: Vec::new(),
            disclosed: Vec::new(),
            prompt: None,
        };
        let mut listed = Vec::new();
        let mut lists = Lists::default();
        let mut prompt: Option<Arc<str>> = None;
        let mut add = |component, digest, grade, watch: Option<(FileSet, Stamp)>| {
            state.measurements.push(Measurement { component, digest, grade });
            state.watched.extend(watch);
        };
        // Files that are held open are the ones that the agent loads.
        let held = config.view.as_deref();
        let grade = if held.is_some() { Grade::InUse } else { Grade::OnDisk };
        if let Some(path) = settings {
            let path = held.map_or_else(|| path.clone(), |view| view::config(view, path));
            let env: Vec<&str> = config_env.iter().map(String::as_str).collect();
            let measured = attest_measure::config(&path, &env)?;
            add(Component::Config, measured.value.digest(), grade, Some((one(&path), measured.stamp)));
        }
        if !harness.is_empty() {
            let files = FileSet::new(harness).remembered(cache.clone()).cancelled_by(config.cancel.clone());
            let measured = files.manifest(&|p| report(Component::Harness, p))?;
            add(Component::Harness, measured.value.digest, Grade::OnDisk, Some((files.clone(), measured.stamp)));
            listed.push((files, Arc::new(measured.value.clone())));
            lists.harness = Some(measured.value);
        }
        if let Some(model) = model {
            let reference = attest_measure::ModelRef::new(&model.provider, &model.model, model.snapshot.as_deref())?;
            // A name is all there is of a hosted model: nobody here can look at its weights.
            add(Component::ModelRef, reference.digest(), Grade::Asserted, None);
        }
        if !weights.is_empty() {
            let files = held.map_or_else(|| config.measure.weights(), |view| FileSet::held(view::weights(view)));
            let files = files.remembered(cache).cancelled_by(config.cancel.clone());
            let report = |p| report(Component::ModelWeights, p);
            let (manifest, stamp) = if *tensors {
                let measured = files.manifest_and_tensors(&report)?;
                let (manifest, tensors) = measured.value;
                add(Component::ModelTensors, tensors.digest, grade, None);
                lists.tensors = Some(tensors);
                (manifest, measured.stamp)
            } else {
                let measured = files.manifest(&report)?;
                (measured.value, measured.stamp)
            };
            add(Component::ModelWeights, manifest.digest, grade, Some((files.clone(), stamp)));
            listed.push((files, Arc::new(manifest.clone())));
            lists.weights = Some(manifest);
        }
        if *signer {
            let own = attest_measure::own_executable()?;
            let mut policy = vec![config.path.clone()];
            policy.extend(config.policy_files.iter().cloned());
            let measured = attest_measure::signer(&own, &policy)?;
            let files = FileSet::new([own].into_iter().chain(policy));
            add(Component::Signer, measured.value.digest, Grade::InUse, Some((files, measured.stamp)));
        }
        if let Some(path) = system_prompt {
            let path = held.map_or_else(|| path.clone(), view::system_prompt);
            let measured = attest_measure::prompt(&path)?;
            add(Component::SystemPrompt, measured.value.digest, grade, Some((one(&path), measured.stamp)));
            prompt = Some(measured.value.text.into());
        }
        let disclosed = config.measure.disclose.iter().filter_map(|component| {
            let text = match component {
                Component::SystemPrompt => prompt.clone(),
                component => lists.bytes(*component).and_then(|bytes| String::from_utf8(bytes).ok()).map(Into::into),
            };
            Some((*component, text?))
        });
        state.disclosed = disclosed.collect();
        state.prompt = prompt.filter(|_| config.trail.is_some());
        state.listed = listed;
        Ok((state, lists))
    }

    /// What goes to servers beside the digests, so far as it is what one of these is over and a proof may hold it: a prompt that stands on disk
    /// is not the one that was sent to the model, where that is what is attested.
    pub fn disclosed(&self, attested: &[Measurement]) -> Vec<Arc<str>> {
        let mut texts: Vec<Arc<str>> = Vec::new();
        let mut room = MAX_DISCLOSED;
        for (component, text) in &self.disclosed {
            let digest = Digest::of(&**text);
            if !attested.iter().any(|m| m.component == *component && m.digest == digest) || texts.contains(text) {
                continue;
            }
            match room.checked_sub(text.len()) {
                Some(left) => {
                    room = left;
                    texts.push(text.clone());
                }
                None => tracing::warn!(
                    "{component} is not disclosed: with {} bytes it is more than the {room} that are left of {MAX_DISCLOSED}",
                    text.len()
                ),
            }
        }
        texts
    }

    /// The system prompt on disk; `None` where there is none, or no trail that would keep it.
    pub(crate) fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// Every file that was measured, where it can be opened.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.watched.iter().flat_map(|(files, _)| files.places().unwrap_or_default()).collect()
    }

    /// Reads one file again, the one that `chance` picks, and says whether it is still what was measured. Takes as long as reading it.
    pub(crate) fn holds(&self, chance: u64) -> bool {
        let all: u64 = self.listed.iter().map(|(_, manifest)| manifest.files.len() as u64).sum();
        let Some(mut pick) = chance.checked_rem(all) else { return true };
        for (files, manifest) in &self.listed {
            let here = manifest.files.len() as u64;
            if pick < here {
                let entry = usize::try_from(pick).ok().and_then(|pick| manifest.files.get(pick));
                return entry.is_none_or(|entry| files.still(entry).unwrap_or(false));
            }
            pick -= here;
        }
        true
    }

    /// Whether a file was touched since, so that the state must be measured again. Costs a look at each file, no reading.
    pub fn may_have_changed(&self) -> bool {
        self.watched.iter().any(|(files, stamp)| files.changed(stamp))
    }
}

/// The digests of files that were hashed before. `strict` takes nobody's word for them, not even this user's.
fn cache(config: &Config) -> Option<Arc<Cache>> {
    if config.strict || !config.measure.cache {
        return None;
    }
    let folder = folders::of_user("XDG_CACHE_HOME", ".cache")?.join("attest");
    Cache::open(&folder).map(Arc::new).inspect_err(|error| tracing::warn!("{error}")).ok()
}

fn one(path: &PathBuf) -> FileSet {
    FileSet::new([path])
}
