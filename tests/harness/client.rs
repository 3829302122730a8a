//! A client that sends exactly what it is told and reads piece by piece.

use bytes::Bytes;
use headgate::tasks::Tasks;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Where requests go. Each one takes a connection of its own.
#[derive(Clone)]
pub struct Client {
    authority: String,
    tasks: Tasks,
}

/// A reply whose body has not been read yet. Dropping it hangs up.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    // The connection ends when its sender is gone.
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    pub fn to(base_url: &str, tasks: &Tasks) -> Self {
        Self { authority: base_url.trim_start_matches("http://").to_owned(), tasks: tasks.clone() }
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Bytes::new()).unwrap()).await
    }

    /// Calls with a token, as the page does.
    pub async fn call(&self, token: &str, method: Method, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Bytes::from(body.to_owned())).unwrap()).await
    }

    /// Sends a request as it is; `host` is added where it is missing.
    pub async fn send(&self, mut request: Request<Bytes>) -> Reply {
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, self.authority.parse().unwrap());
        }
        let socket = TcpStream::connect(&self.authority).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        let (head, body) = sender.send_request(request.map(Full::new)).await.unwrap().into_parts();
        Reply { status: head.status, headers: head.headers, body, _sender: sender }
    }
}

/// One connection for requests one after the other.
pub struct Kept {
    authority: String,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    /// A connection that is kept.
    pub async fn keep(&self) -> Kept {
        let socket = TcpStream::connect(&self.authority).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        Kept { authority: self.authority.clone(), sender }
    }
}

impl Kept {
    /// Asks for a message and reads it.
    pub async fn ask(&mut self) -> (StatusCode, Bytes) {
        let request = Request::post("/v1/messages")
            .header(header::HOST, &self.authority)
            .body(Full::new(super::ask("claude-opus-5-5", false).into()))
            .unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    }
}

impl Reply {
    /// The next piece of the body; `None` at its proper end, an error where it is cut.
    pub async fn piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = super::soon("the next piece of a reply", self.body.frame()).await?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// The whole body.
    pub async fn bytes(mut self) -> Bytes {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await {
            whole.extend_from_slice(&piece.expect("the reply should end properly"));
        }
        whole.into()
    }

    /// The body up to where it ends or is cut, and whether it was cut.
    pub async fn until_end_or_cut(mut self) -> (String, bool) {
        let mut text = String::new();
        loop {
            match self.piece().await {
                Some(Ok(piece)) => text += &String::from_utf8_lossy(&piece),
                Some(Err(_)) => return (text, true),
                None => return (text, false),
            }
        }
    }

    pub async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).unwrap()
    }

    pub async fn json(self) -> serde_json::Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
