//! A core in another process, over HTTP on the loopback with the token that it left for its owner. One
//! connection a call: doors ask seldom, and a core that has gone is noticed at once.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::CoreFile;

/// A core on this machine that does not take a connection by then has gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nobody answers there any more, or not as a core does.
#[derive(Debug, thiserror::Error)]
#[error("the running Headgate at {address} does not answer: {why}")]
pub struct Silent {
    address: SocketAddr,
    why: String,
}

impl CoreFile {
    /// Calls the core's API and gives the head as soon as it is there; the body streams.
    ///
    /// # Errors
    /// If nobody answers at the address.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<RemoteBody>, Silent> {
        let host = self.address.to_string();
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|why| self.silent(why))?);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|why| self.silent(why))?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);

        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(self.address)).await;
        let socket = connecting.map_err(|late| self.silent(late))?.map_err(|why| self.silent(why))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(|why| self.silent(why))?;
        let mut connection = Box::pin(connection);
        let answer = sender.send_request(request.map(Full::new));
        tokio::pin!(answer);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            // It ends before the answer only with a reason, which the answer then has.
            _ = &mut connection => answer.await,
        };
        Ok(answer
            .map_err(|why| self.silent(why))?
            .map(|body| RemoteBody { body, connection: Some(connection) }))
    }

    fn silent(&self, why: impl ToString) -> Silent {
        Silent { address: self.address, why: why.to_string() }
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The body of a core's answer. It drives its own connection, which ends with it.
pub struct RemoteBody {
    body: Incoming,
    connection: Option<Pin<Box<Connection>>>,
}

impl Body for RemoteBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            return frame;
        }
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            self.connection = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
