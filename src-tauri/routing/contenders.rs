//! Everyone who may be asked, and beside them, one close to the other, what a look at all of them needs: for each
//! request two hundred accounts are gone through, and to fetch one from somewhere else takes longer than to judge it.

use std::{ops::Deref, sync::Arc};

use super::{Contender, Load, rank::dial::Dials};
use crate::domain::{AccountId, Paid, PoolId};

/// In the order in which they came. A glance is made with its contender and never without it.
#[derive(Debug, Clone, Default)]
pub struct Contenders {
    all: Vec<Arc<Contender>>,
    glances: Vec<Glance>,
}

/// What is looked at of an account that does not win.
#[derive(Debug, Clone)]
pub(super) struct Glance {
    pub id: AccountId,
    /// The pool that it was put into.
    pub pool: PoolId,
    pub priority: f64,
    /// Nobody guards it, names its models or knows their list: its windows and its load are all there is to it.
    pub is_plain: bool,
    /// How its use is paid, where that is known.
    pub paid: Option<Paid>,
    /// Some window is known, of whatever kind.
    pub states_windows: bool,
    /// Of the windows that limit messages.
    pub dials: Dials,
    pub load: Load,
}

impl Glance {
    pub fn of(contender: &Contender) -> Self {
        let account = &contender.account;
        Self {
            id: account.id,
            pool: account.pool,
            priority: f64::from(account.priority),
            is_plain: account.guards.is_none() && account.models.is_empty() && contender.offers.is_none(),
            paid: contender.paid(),
            states_windows: !contender.windows.is_empty(),
            dials: Dials::of(&contender.windows),
            load: contender.load.clone(),
        }
    }
}

impl Contenders {
    /// Each with its glance.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Arc<Contender>, &Glance)> {
        self.all.iter().zip(&self.glances)
    }

    /// The one with this id.
    pub(super) fn find(&self, id: AccountId) -> Option<(&Arc<Contender>, &Glance)> {
        let at = self.glances.iter().position(|glance| glance.id == id)?;
        Some((&self.all[at], &self.glances[at]))
    }

    /// In place of the one with the same id, or behind all others.
    pub fn put(&mut self, contender: Arc<Contender>) {
        let glance = Glance::of(&contender);
        if let Some(at) = self.glances.iter().position(|known| known.id == glance.id) {
            (self.all[at], self.glances[at]) = (contender, glance);
        } else {
            self.all.push(contender);
            self.glances.push(glance);
        }
    }

    /// Changes those for which this holds, each in place where nobody shares it.
    pub fn change(&mut self, which: impl Fn(&Contender) -> bool, mut change: impl FnMut(&mut Contender)) {
        for (contender, glance) in self.all.iter_mut().zip(&mut self.glances) {
            if which(contender) {
                change(Arc::make_mut(contender));
                *glance = Glance::of(contender);
            }
        }
    }

    /// Changes the one at this place.
    pub(super) fn change_at(&mut self, at: usize, change: impl FnOnce(&mut Contender)) {
        change(Arc::make_mut(&mut self.all[at]));
        self.glances[at] = Glance::of(&self.all[at]);
    }

    /// Lets the one with this id go.
    pub fn remove(&mut self, id: AccountId) {
        self.all.retain(|contender| contender.account.id != id);
        self.glances.retain(|glance| glance.id != id);
    }
}

impl Deref for Contenders {
    type Target = [Arc<Contender>];

    fn deref(&self) -> &[Arc<Contender>] {
        &self.all
    }
}

impl<'a> IntoIterator for &'a Contenders {
    type Item = &'a Arc<Contender>;
    type IntoIter = std::slice::Iter<'a, Arc<Contender>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl FromIterator<Arc<Contender>> for Contenders {
    fn from_iter<T: IntoIterator<Item = Arc<Contender>>>(contenders: T) -> Self {
        let all: Vec<_> = contenders.into_iter().collect();
        let glances = all.iter().map(|contender| Glance::of(contender)).collect();
        Self { all, glances }
    }
}
