//! The agent's state: measured, and noticed when it changes.

use std::path::PathBuf;

use attest_core::measurement::{Component, Grade, Measurement};
use attest_measure::{FileSet, Manifest, MeasureError, Progress, Stamp};

use crate::config::{Config, Measure};

/// What was measured, and the state of the files it was measured from.
#[derive(Clone, Debug)]
pub struct State {
    /// One per component, in ascending order.
    pub measurements: Vec<Measurement>,
    /// The model's files, where there are any.
    pub weights: Option<Manifest>,
    watched: Vec<(FileSet, Stamp)>,
}

impl State {
    /// Measures everything that `config` names. Takes as long as reading the files does.
    pub fn measure(config: &Config, report: &(dyn Fn(Component, Progress) + Sync)) -> Result<Self, MeasureError> {
        let Measure { weights, weights_except: _, model, system_prompt, config: settings, config_env, harness, signer } =
            &config.measure;
        let mut state = Self { measurements: Vec::new(), weights: None, watched: Vec::new() };
        let mut manifest = None;
        let mut add = |component, digest, grade, watch: Option<(FileSet, Stamp)>| {
            state.measurements.push(Measurement { component, digest, grade });
            state.watched.extend(watch);
        };
        if let Some(path) = settings {
            let env: Vec<&str> = config_env.iter().map(String::as_str).collect();
            let measured = attest_measure::config(path, &env)?;
            add(Component::Config, measured.value.digest(), Grade::OnDisk, Some((one(path), measured.stamp)));
        }
        if !harness.is_empty() {
            let files = FileSet::new(harness);
            let measured = files.manifest(&|p| report(Component::Harness, p))?;
            add(Component::Harness, measured.value.digest, Grade::OnDisk, Some((files, measured.stamp)));
        }
        if let Some(model) = model {
            let reference = attest_measure::ModelRef::new(&model.provider, &model.model, model.snapshot.as_deref())?;
            // A name is all there is of a hosted model: nobody here can look at its weights.
            add(Component::ModelRef, reference.digest(), Grade::Asserted, None);
        }
        if !weights.is_empty() {
            let files = config.measure.weights();
            let measured = files.manifest(&|p| report(Component::ModelWeights, p))?;
            add(Component::ModelWeights, measured.value.digest, Grade::OnDisk, Some((files, measured.stamp)));
            manifest = Some(measured.value);
        }
        if *signer {
            let own = attest_measure::own_executable()?;
            let measured = attest_measure::signer(&own, Some(&config.path))?;
            let files = FileSet::new([own, config.path.clone()]);
            add(Component::Signer, measured.value.digest, Grade::InUse, Some((files, measured.stamp)));
        }
        if let Some(path) = system_prompt {
            let measured = attest_measure::prompt(path)?;
            add(Component::SystemPrompt, measured.value.digest, Grade::OnDisk, Some((one(path), measured.stamp)));
        }
        state.weights = manifest;
        Ok(state)
    }

    /// Whether a file was touched since, so that the state must be measured again. Costs a look at each file, no reading.
    pub fn may_have_changed(&self) -> bool {
        self.watched.iter().any(|(files, stamp)| files.changed(stamp))
    }
}

fn one(path: &PathBuf) -> FileSet {
    FileSet::new([path])
}
