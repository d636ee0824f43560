//! A runner whose lease somebody took away, on many threads: it says so, whatever it was about to do.

use stackwright::{
    event::Event,
    plan::Plan,
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
};

const TEMPLATE: &str = "resource \"terraform_data\" \"a\" {\n count = 150\n input = count.index\n}\n";

async fn plan(stack: &Stack) -> Plan {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", TEMPLATE)]), &Options::default());
    assert_eq!(problems, []);
    stack.plan(&template, PlanOptions::default()).await.expect("a plan")
}

/// The writer ends first; who waits for it must not be heard before it, or a bug would be reported.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_overtaken_says_so_and_nothing_else() {
    let mut overtaken = 0;
    for round in 0..100 {
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .build()
            .expect("a complete engine");
        let stack = engine.stack("tests", "overtaken");
        let plan = plan(&stack).await;
        let options = ApplyOptions { parallelism: 64, ..ApplyOptions::default() };
        let mut run = stack.apply(plan, options).await.expect("it begins");
        let mut count = 0;
        while let Some(recorded) = run.next_event().await {
            count += u32::from(matches!(recorded.event, Event::StepStarted { .. }));
            if count == round {
                stack.break_lease().await.expect("the store works");
            }
        }
        if let Err(error) = run.finish().await {
            assert_eq!(error.code(), "lease.lost", "round {round}: {error:?}");
            overtaken += 1;
        }
    }
    assert!(overtaken > 10, "only {overtaken} runs were overtaken");
}
