//! How a sign-in is finished: its code is exchanged, what that brings is kept, and what nobody will use is given back.

use std::{sync::Arc, time::Duration};

use super::{
    book::{Exchange, Progress, Secrets, SignInId},
    desk::Desk,
    failure::Failure,
    server::{Proof, Server},
};
use crate::{
    accounts::{Brought, Tokens},
    domain::SignIn,
    providers::Yields,
    secrets::Sensitive,
};

/// Taking a token back may take so long and no longer.
const PARTING: Duration = Duration::from_secs(3);

impl Desk {
    /// Exchanges a code, aside from whoever brought it.
    pub(super) fn go_on(&self, exchange: Option<Exchange>) {
        let Some(exchange) = exchange else { return };
        let desk = self.clone();
        self.0.tasks.spawn(async move {
            let Exchange { id, code, secrets, server } = exchange;
            match desk.exchange(&server, &code, &secrets).await {
                Ok(brought) => desk.keep(id, server, brought).await,
                Err(failure) => {
                    desk.book(|book| book.end(&id, Progress::Failed(failure.to_string())));
                    desk.told();
                }
            }
        });
    }

    async fn exchange(
        &self,
        server: &Server,
        code: &Sensitive<String>,
        secrets: &Secrets,
    ) -> Result<Brought, Failure> {
        let proof =
            Proof { code, verifier: &secrets.verifier, redirect: &secrets.redirect, state: &secrets.state };
        match server.yields() {
            Yields::Key => server.exchange_for_key(proof).await.map(Brought::Key),
            Yields::Grant => {
                let tokens = server.exchange(proof, self.0.clock.now()).await?;
                Ok(Brought::Tokens(Arc::new(tokens)))
            }
        }
    }

    /// Keeps what a sign-in brought. Where that can't be, or it was called off meanwhile, it is given back.
    pub(super) async fn keep(&self, id: SignInId, server: Server, brought: Brought) {
        let (desk, of, mine) = (self.clone(), id.clone(), brought.clone());
        let kept = self.0.tasks.spawn_blocking(move || {
            let (whom, terms) = desk.book(|book| book.keep(&of))?;
            Some(desk.0.roster.sign_in(&whom, &terms, &mine).map_err(|error| error.to_string()))
        });
        let progress = match kept.await {
            Ok(Some(Ok(account))) => Progress::Done(account),
            Ok(Some(Err(why))) => Progress::Failed(why),
            Ok(None) => Progress::Cancelled,
            Err(_) => Progress::Failed("keeping the sign-in broke off; begin again".into()),
        };
        if let (false, Some(tokens)) = (matches!(progress, Progress::Done(_)), brought.tokens()) {
            part(&server, tokens).await;
        }
        self.book(|book| book.end(&id, progress));
        self.told();
    }

    /// Gives the tokens of an account that is gone back to its provider, where that is possible. Within three seconds,
    /// and of no consequence if it fails: nobody has them any more.
    pub async fn give_back(&self, terms: Arc<SignIn>, tokens: &Tokens) {
        let Some(definition) = self.0.roster.catalog().sign_ins().get(&terms.with) else { return };
        let giving = async {
            let carrier = Arc::clone(&self.0.carrier);
            let server = Server::find(carrier, definition, terms, tokens.client_secret.clone()).await?;
            server.revoke(tokens).await
        };
        if let Ok(Err(failure)) = tokio::time::timeout(PARTING, giving).await {
            tracing::info!(%failure, "a sign-in that was removed could not be given back to its provider");
        }
    }
}

/// Tokens that nobody will use are given back.
pub async fn part(server: &Server, tokens: &Tokens) {
    let _ = tokio::time::timeout(PARTING, server.revoke(tokens)).await;
}
