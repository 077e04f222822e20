//! What the Kubernetes API says about who is running: names, owners, images, requests, limits.
