//! A connection that breaks where a test wants it to.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, Notify, watch},
};

/// No limit.
const ENDLESS: usize = usize::MAX;

/// What happens to the bytes that go one way.
#[derive(Debug)]
struct Way {
    /// How many more bytes pass; then both sides are cut off.
    left: AtomicUsize,
    passed: AtomicU64,
}

/// Stands between a store and its server, on a port of its own.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    up: Arc<Way>,
    down: Arc<Way>,
    /// While it is true, what a store sends is kept back, even after the store has gone away.
    held: watch::Sender<bool>,
    /// Told after bytes were kept back.
    kept: Arc<Notify>,
    cuts: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let way = || Arc::new(Way { left: AtomicUsize::new(ENDLESS), passed: AtomicU64::new(0) });
        let proxy = Self {
            port,
            up: way(),
            down: way(),
            held: watch::Sender::new(false),
            kept: Arc::default(),
            cuts: Arc::default(),
        };
        let (up, down, cuts) = (Arc::clone(&proxy.up), Arc::clone(&proxy.down), Arc::clone(&proxy.cuts));
        let (held, kept) = (proxy.held.subscribe(), Arc::clone(&proxy.kept));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let both = Arc::new((Mutex::new(Some(to_client)), Mutex::new(Some(to_server))));
                let gate = (held.clone(), Arc::clone(&kept));
                tokio::spawn(pass(
                    from_client,
                    Arc::clone(&both),
                    Arc::clone(&up),
                    true,
                    Arc::clone(&cuts),
                    Some(gate),
                ));
                tokio::spawn(pass(from_server, both, Arc::clone(&down), false, Arc::clone(&cuts), None));
            }
        });
        proxy
    }

    /// Cuts the connection after so many more bytes from the store; from then on connections hold again.
    pub(crate) fn cut_requests_after(&self, bytes: usize) {
        self.up.left.store(bytes, Ordering::SeqCst);
    }

    /// Cuts the connection after so many more bytes from the server.
    pub(crate) fn cut_answers_after(&self, bytes: usize) {
        self.down.left.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything pass again.
    pub(crate) fn mend(&self) {
        self.up.left.store(ENDLESS, Ordering::SeqCst);
        self.down.left.store(ENDLESS, Ordering::SeqCst);
    }

    /// Returns how many bytes passed from the store, and from the server.
    pub(crate) fn passed(&self) -> (u64, u64) {
        (self.up.passed.load(Ordering::SeqCst), self.down.passed.load(Ordering::SeqCst))
    }

    /// Returns how often a connection was cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Keeps back what comes from stores; new connections pass.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Returns once something was kept back.
    pub(crate) async fn has_kept(&self) {
        self.kept.notified().await;
    }

    /// Lets what was kept back go on to the server, late.
    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }
}

type Both = (Mutex<Option<OwnedWriteHalf>>, Mutex<Option<OwnedWriteHalf>>);
type Gate = (watch::Receiver<bool>, Arc<Notify>);

/// Passes bytes on in one direction until an end closes or the cut comes. `upward`: from the store to the server.
async fn pass(
    mut from: OwnedReadHalf,
    both: Arc<Both>,
    way: Arc<Way>,
    upward: bool,
    cuts: Arc<AtomicU64>,
    mut gate: Option<Gate>,
) {
    let mut buffer = vec![0; 64 << 10];
    // Only connections that were there before are held back, and once.
    let mut is_free = gate.as_ref().is_none_or(|(held, _)| *held.borrow());
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            break;
        }
        if let Some((held, kept)) = &mut gate
            && *held.borrow()
            && !is_free
        {
            is_free = true;
            kept.notify_one();
            let _ = held.wait_for(|held| !held).await;
        }
        let left = way.left.load(Ordering::SeqCst);
        let goes = count.min(left);
        let is_cut = left != ENDLESS && goes == left;
        if is_cut {
            // Once: whoever connects next gets through.
            way.left.store(ENDLESS, Ordering::SeqCst);
            cuts.fetch_add(1, Ordering::SeqCst);
        } else if left != ENDLESS {
            way.left.fetch_sub(goes, Ordering::SeqCst);
        }
        way.passed.fetch_add(goes as u64, Ordering::SeqCst);
        let target = if upward { &both.1 } else { &both.0 };
        if let Some(target) = target.lock().await.as_mut() {
            let _ = target.write_all(buffer.get(..goes).unwrap_or_default()).await;
        }
        if is_cut {
            break;
        }
    }
    // Both ends are told: dropping the halves that write closes them, and the halves that read see the end.
    both.0.lock().await.take();
    both.1.lock().await.take();
}
