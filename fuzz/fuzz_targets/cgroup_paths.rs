//! What a cgroup is, told from any path.

#![no_main]

use kubemonitor_hostfs::layout::Place;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let place = Place::of(path);
    // Step by step, as a tree is walked, it is the same place.
    let names = path.split('/').filter(|name| !name.is_empty());
    assert_eq!(names.fold(Place::Folder, |place, name| place.child(name)), place);
    match &place {
        // An identity is part of the path, but for the dashes that systemd's slices cannot have.
        Place::Pod { uid: id, .. } => {
            assert!(path.replace('_', "-").contains(&id.to_string().replace('_', "-")));
        }
        Place::Container { id, .. } | Place::PlainContainer { id } => {
            assert!(path.contains(&id.to_string()));
        }
        // That of a service without systemd has its folder's name before its own.
        Place::Service { .. } => assert!(place.is_entity()),
        _ => assert!(!place.is_entity()),
    }
    assert!(place.has_children() || place.child("kubepods") == Place::Hidden);
});
