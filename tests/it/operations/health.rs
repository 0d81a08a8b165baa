use serde_json::json;

use crate::harness::Actor;

#[tokio::test]
async fn the_server_is_alive_and_ready() {
    let nobody = Actor::nobody();
    assert_eq!(nobody.get("/health/live").await.expect(200), json!({ "status": "ok" }));
    assert_eq!(nobody.get("/health/ready").await.expect(200), json!({ "status": "ok" }));
}
