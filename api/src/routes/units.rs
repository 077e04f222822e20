//! `/api/units`: systemd services and plain containers, outside Kubernetes.

use axum::{extract::State, response::Response};

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::UnitSample,
    monitor::Shared,
    openapi::{BadRequest, Busy, UnitList, Unknown},
    query::{self, Address, Asked, PageParams, TimeParams},
};

/// The units of every node: systemd services and plain containers, outside Kubernetes.
#[utoipa::path(
    get, path = "/api/units", operation_id = "listUnits", tag = "units",
    params(TimeParams, PageParams),
    responses((status = 200, body = UnitList), BadRequest, Busy),
)]
pub(crate) async fn list(
    State(monitor): State<Shared>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::units(m, when, selection);
        Ok(())
    })
    .await
}

/// The units of a node.
#[utoipa::path(
    get, path = "/api/nodes/{node}/units", operation_id = "listUnitsOnNode", tag = "units",
    params(("node" = String, Path, description = "The node's name, such as `worker-1`."), TimeParams, PageParams),
    responses(
        (status = 200, body = UnitList), BadRequest, Unknown, Busy
    ),
)]
pub(crate) async fn on_node(
    State(monitor): State<Shared>,
    Named(node): Named<String>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::units_on(m, query::known_node(m, &node)?, when, selection);
        Ok(())
    })
    .await
}

/// One unit.
#[utoipa::path(
    get, path = "/api/nodes/{node}/units/{unit}", operation_id = "getUnit", tag = "units",
    params(
        ("node" = String, Path, description = "The node's name, such as `worker-1`."), ("unit" = String, Path, description = "The unit's name, such as `containerd.service`."),
        TimeParams,
    ),
    responses((status = 200, body = Vec<UnitSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named((node, unit)): Named<(String, String)>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    answer::one(monitor, time, move |m| query::unit(m, query::known_node(m, &node)?, &unit)).await
}
